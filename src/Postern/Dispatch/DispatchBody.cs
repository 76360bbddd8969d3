using System.Text.Json;
using Postern.Access;
using Postern.Agents;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Settings;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Dispatch;

/// <summary>
/// Makes the data of a run for its agent, whether the agent is called or has claimed it: the run, its session with the
/// end of the transcript, and where and how to report. It is made at the time of sending, so that neither the token nor
/// the messages are stored twice.
/// </summary>
internal sealed class DispatchBody(
    SessionTokens tokens,
    DispatchCallbacks callbacks,
    Transcript transcript,
    SessionStore sessions,
    Projects projects,
    ServerAddress address,
    Database database
)
{
    private const int TailMessages = 50;

    /// <summary>
    /// The most bytes of content in a dispatch, so that the body stays under 256 KiB. Older messages are read from the
    /// history.
    /// </summary>
    private const int TailBytes = 96 * 1024;

    /// <summary>A larger input is fetched with the run.</summary>
    private const int MaxInput = 96 * 1024;

    /// <summary>Writes the members of <c>data</c>; those of the session only when the run has one.</summary>
    public async ValueTask<Action<Utf8JsonWriter>> MakeAsync(Run run)
    {
        var session = run.Session is null ? null : await sessions.FindAsync(run.Project, run.Session);
        var name = session is null ? null : Conversation.NameOf(session);
        // As long as tokens may live, because a question to a person makes a run live longer than its present
        // deadlines.
        var token = await tokens.ForRunAsync(run, name, database.Now + Wire.Microseconds(Tokens.MaxLife));
        var callback = await callbacks.OfAsync(run, session);
        var isDefault = run.Project == await projects.DefaultAsync();
        var messages = session is null ? null : await TailAsync(session);
        var (input, artifacts) = await database.ReadAsync(async tx =>
            (
                await RunData.FindAsync(tx, run.Project, run.Id, RunData.Input),
                await RunData.FindAsync(tx, run.Project, run.Id, RunData.Artifacts)
            )
        );
        return json =>
        {
            WriteRun(json, run, session, input, artifacts);
            if (session is not null)
                WriteSession(json, run, session, messages!);
            json.WriteStartObject("callback");
            json.WriteString("url", address.Url + callback.Path);
            json.WriteStartObject("headers");
            foreach (var (header, value) in callback.Headers)
                json.WriteString(header, value);
            if (!isDefault)
                json.WriteString(CredentialReader.ProjectHeader, run.Project);
            json.WriteEndObject();
            json.WriteEndObject();
            if (callback is { Trigger: { } trigger, Capture: { } capture })
                WriteTrigger(json, trigger, capture);
            json.WriteString("token", token);
        };
    }

    private void WriteRun(Utf8JsonWriter json, Run run, Session? session, byte[]? input, byte[]? artifacts)
    {
        json.WriteStartObject("run");
        json.WriteString("id", run.Id);
        json.WriteNumber("attempt", run.Attempt);
        json.WriteString("agent", run.Agent);
        json.WriteString("workflow", run.Workflow);
        json.WriteString("status", run.Status);
        if (input?.Length > MaxInput)
            json.WriteString("inputUrl", $"{address.Url}/api/v1/runs/{run.Id}");
        else
            RunJson.Raw(json, "input", input);
        if (artifacts is not null && artifacts.Length <= MaxInput / 2)
            RunJson.Raw(json, "artifacts", artifacts);
        if (run.Profile is not null)
            json.WriteString("profile", run.Profile);
        json.WriteString("deadline", Wire.Iso(session?.TurnDeadline ?? run.DeadlineAt));
        json.WriteEndObject();
    }

    private void WriteSession(Utf8JsonWriter json, Run run, Session session, byte[] messages)
    {
        json.WriteStartObject("session");
        json.WriteString("id", session.Id);
        json.WriteString("key", session.Key);
        json.WritePropertyName("messages");
        json.WriteRawValue(messages, skipInputValidation: true);
        json.WriteNumber("inSeq", session.TurnInSeq);
        json.WriteBoolean("continuation", run.Continuation);
        json.WriteString("previousRunId", run.PreviousRun);
        json.WriteEndObject();
        json.WriteStartObject("out");
        json.WriteString("url", $"{address.Url}/realtime/v1/sessions/{session.Id}/out/records");
        json.WriteEndObject();
    }

    private static void WriteTrigger(Utf8JsonWriter json, Trigger trigger, Capture capture)
    {
        json.WriteStartObject("trigger");
        json.WriteString("id", trigger.Name.Id);
        json.WriteString("namespace", trigger.Name.Namespace);
        json.WriteString("requestId", capture.Id);
        json.WriteString("source", capture.Source);
        json.WritePropertyName("settings");
        if (trigger.Settings is null)
            json.WriteNullValue();
        else
            json.WriteRawValue(trigger.Settings, skipInputValidation: true);
        json.WriteEndObject();
    }

    private async Task<byte[]> TailAsync(Session session)
    {
        var bytes = 0;
        var tail = (await transcript.BeforeAsync(session.Project, session.Id, long.MaxValue, TailMessages))
            .TakeWhile(m => (bytes += m.Content.Length) <= TailBytes)
            .Reverse();
        return Message.RenderAll(tail);
    }
}
