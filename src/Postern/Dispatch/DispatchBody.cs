using System.Text;
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
/// end of the transcript, and where and how to report. It is made at the time of sending, so that no token is stored.
/// Of a call, a copy without the tokens is kept for people. It is short, so messages are not stored twice in bulk.
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

    /// <summary>
    /// The most bytes of input, artifacts, messages and settings that the kept copy of a dispatch holds. Of more, it
    /// only says how much there was.
    /// </summary>
    private const int MaxCopied = 16 * 1024;

    /// <summary>Reads what the agent gets. Nothing is kept of it here.</summary>
    public async ValueTask<DispatchData> MakeAsync(Run run)
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
        var sent = new Sent(run, session, messages, input, artifacts, callback, token, isDefault);
        return new DispatchData(json => Write(json, sent, isCopy: false), json => Write(json, sent, isCopy: true));
    }

    private void Write(Utf8JsonWriter json, Sent sent, bool isCopy)
    {
        var isShort = isCopy && sent.Bytes > MaxCopied;
        WriteRun(json, sent, isShort);
        if (sent.Session is not null)
            WriteSession(json, sent.Run, sent.Session, isShort ? LeftOut(sent.Messages!) : sent.Messages!);
        json.WriteStartObject("callback");
        json.WriteString("url", address.Url + sent.Callback.Path);
        json.WriteStartObject("headers");
        foreach (var (header, value) in sent.Callback.Headers)
            json.WriteString(
                header,
                isCopy && header == CredentialReader.CallbackTokenHeader ? Redaction.Redacted : value
            );
        if (!sent.IsDefault)
            json.WriteString(CredentialReader.ProjectHeader, sent.Run.Project);
        json.WriteEndObject();
        json.WriteEndObject();
        if (sent.Callback is { Trigger: { } trigger, Capture: { } capture })
            WriteTrigger(json, trigger, capture, isShort);
        json.WriteString("token", isCopy ? Redaction.Redacted : sent.Token);
    }

    /// <summary>Returns a JSON text in place of a long part.</summary>
    private static byte[] LeftOut(byte[] part) =>
        JsonSerializer.SerializeToUtf8Bytes($"[left out: {part.Length} bytes]", Wire.Json);

    private void WriteRun(Utf8JsonWriter json, Sent sent, bool isShort)
    {
        var (run, input, artifacts) = (sent.Run, sent.Input, sent.Artifacts);
        json.WriteStartObject("run");
        json.WriteString("id", run.Id);
        json.WriteNumber("attempt", run.Attempt);
        json.WriteString("agent", run.Agent);
        json.WriteString("workflow", run.Workflow);
        json.WriteString("status", run.Status);
        if (input?.Length > MaxInput)
            json.WriteString("inputUrl", $"{address.Url}/api/v1/runs/{run.Id}");
        else
            RunJson.Raw(json, "input", isShort && input is not null ? LeftOut(input) : input);
        if (artifacts is not null && artifacts.Length <= MaxInput / 2)
            RunJson.Raw(json, "artifacts", isShort ? LeftOut(artifacts) : artifacts);
        if (run.Profile is not null)
            json.WriteString("profile", run.Profile);
        json.WriteString("deadline", Wire.Iso(sent.Session?.TurnDeadline ?? run.DeadlineAt));
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

    private static void WriteTrigger(Utf8JsonWriter json, Trigger trigger, Capture capture, bool isShort)
    {
        json.WriteStartObject("trigger");
        json.WriteString("id", trigger.Name.Id);
        json.WriteString("namespace", trigger.Name.Namespace);
        json.WriteString("requestId", capture.Id);
        json.WriteString("source", capture.Source);
        var settings = trigger.Settings is { } text ? Encoding.UTF8.GetBytes(text) : null;
        RunJson.Raw(json, "settings", isShort && settings is not null ? LeftOut(settings) : settings);
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

    /// <summary>What goes into a dispatch.</summary>
    private sealed record Sent(
        Run Run,
        Session? Session,
        byte[]? Messages,
        byte[]? Input,
        byte[]? Artifacts,
        DispatchCallback Callback,
        string Token,
        bool IsDefault
    )
    {
        /// <summary>The bytes of the parts whose length callers choose.</summary>
        public int Bytes =>
            (Messages?.Length ?? 0)
            + (Input?.Length ?? 0)
            + (Artifacts?.Length ?? 0)
            + (Callback.Trigger?.Settings?.Length ?? 0);
    }
}
