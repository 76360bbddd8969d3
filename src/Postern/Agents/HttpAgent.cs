using System.Buffers;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Agents;

/// <summary>What became of one attempt to hand something to an agent over HTTP.</summary>
/// <param name="Taken">2xx.</param>
/// <param name="Retry">Worth another try: 408, 425, 429, 5xx, timeouts and connection errors.</param>
/// <param name="Words">For a person: the status and the first 1 KiB of the answer.</param>
/// <param name="Answer">The body of a 2xx with JSON, when the agent finished at once.</param>
internal sealed record HandOver(bool Taken, bool Retry, string Words, string? Answer);

/// <summary>
/// Calls agents over HTTP, signed by Standard Webhooks 1.0 (https://www.standardwebhooks.com): <c>webhook-id</c> stable over the
/// attempts of one turn, the signature over the exact bytes sent. The token in the body opens the run's channels and nothing else.
/// </summary>
internal sealed class HttpAgent(OutboundGuard outbound, MasterKey master, SessionTokens tokens, Transcript transcript, ServerAddress address, Database database)
{
    private const int TailMessages = 50;
    /// <summary>Content that travels with a dispatch, so that the body stays under 256 KiB; older messages are read from the history.</summary>
    private const int TailBytes = 128 * 1024;
    private const int MaxAnswer = 64 * 1024;
    private const int ShownBytes = 1024;

    public async Task<HandOver> DispatchAsync(Agent agent, Run run, Session session, CancellationToken cancel)
    {
        var token = await tokens.ForRunAsync(run, Conversation.NameOf(session), Math.Min(run.CreatedAt + Wire.Microseconds(Tokens.MaxLife), run.CreatedAt + 86_400_000_000 * 2));
        var messages = await TailAsync(session);
        return await PostAsync(agent, $"{run.Id}_{session.TurnInSeq + 1}", "run.dispatched", run.Tries + 1, json =>
        {
            json.WriteStartObject("run");
            json.WriteString("id", run.Id);
            json.WriteNumber("attempt", run.Attempt);
            json.WriteString("agent", run.Agent);
            json.WriteString("workflow", "agent");
            WriteInput(json, run.Input);
            json.WriteString("deadline", Wire.Iso(session.TurnDeadline ?? run.DeadlineAt));
            json.WriteEndObject();
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
            json.WriteString("token", token);
        }, cancel);
    }

    /// <summary>Tells an agent that a run of its ended without it: the session was closed, or the run cancelled.</summary>
    public Task<HandOver> TellEndedAsync(Agent agent, Run run, CancellationToken cancel) =>
        PostAsync(agent, run.Id + "_end", run.Reason == "session closed" ? "session.closed" : "run." + run.Status, run.Tries + 1, json =>
        {
            json.WriteStartObject("run");
            json.WriteString("id", run.Id);
            json.WriteNumber("attempt", run.Attempt);
            json.WriteString("status", run.Status);
            json.WriteString("reason", run.Reason);
            json.WriteEndObject();
            json.WriteString("sessionId", run.Session);
        }, cancel);

    private async Task<HandOver> PostAsync(Agent agent, string id, string type, long attempt, Action<Utf8JsonWriter> data, CancellationToken cancel)
    {
        var now = database.Now;
        var body = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(body, Wire.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("type", type);
            json.WriteString("timestamp", Wire.Iso(now));
            json.WriteStartObject("data");
            data(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        using var request = new HttpRequestMessage(HttpMethod.Post, agent.Url) { Content = new ReadOnlyMemoryContent(body.WrittenMemory) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        var seconds = (now / 1_000_000).ToString();
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", seconds);
        request.Headers.Add("webhook-signature", Sign(master.Open(agent.SealedSecret!, Agent.SealOwner(agent.Project, agent.Slug)), id, seconds, body.WrittenSpan));
        request.Headers.Add("webhook-attempt", attempt.ToString());
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("Postern", ProductVersion.Text));
        return await SendAsync(request, cancel);
    }

    private async Task<HandOver> SendAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        try
        {
            using var response = await outbound.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
            var answer = await ReadAsync(response.Content, cancel);
            var status = (int)response.StatusCode;
            if (response.IsSuccessStatusCode) return new HandOver(true, false, status.ToString(), response.Content.Headers.ContentType?.MediaType == "application/json" ? Encoding.UTF8.GetString(answer) : null);
            var shown = Encoding.UTF8.GetString(answer.AsSpan(0, Math.Min(answer.Length, ShownBytes))).Replace('\0', ' ');
            return new HandOver(false, status is 408 or 425 or 429 or >= 500, $"the agent answered {status}{(shown.Length > 0 ? ": " + shown : "")}", null);
        }
        catch (HttpRequestException fault) when (fault.InnerException is OutboundRefusedException refused)
        {
            return new HandOver(false, false, refused.Message, null);
        }
        catch (OutboundRefusedException refused)
        {
            return new HandOver(false, false, refused.Message, null);
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException || (fault is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return new HandOver(false, true, fault is OperationCanceledException ? "the agent did not answer in time" : "the agent cannot be reached", null);
        }
    }

    /// <summary>The signature header's value.</summary>
    /// <param name="secret"><c>whsec_</c> and the key in base 64.</param>
    /// <param name="id">The header <c>webhook-id</c>.</param>
    /// <param name="seconds">The header <c>webhook-timestamp</c>.</param>
    /// <param name="body">The bytes sent.</param>
    public static string Sign(string secret, string id, string seconds, ReadOnlySpan<byte> body)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Convert.FromBase64String(secret["whsec_".Length..]));
        hmac.AppendData(Encoding.UTF8.GetBytes($"{id}.{seconds}."));
        hmac.AppendData(body);
        return "v1," + Convert.ToBase64String(hmac.GetHashAndReset());
    }

    private static async Task<byte[]> ReadAsync(HttpContent content, CancellationToken cancel)
    {
        await using var stream = await content.ReadAsStreamAsync(cancel);
        var buffer = new byte[MaxAnswer];
        var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancel);
        return buffer[..length];
    }

    private async Task<byte[]> TailAsync(Session session)
    {
        var bytes = 0;
        var tail = (await transcript.BeforeAsync(session.Project, session.Id, long.MaxValue, TailMessages)).TakeWhile(m => (bytes += m.Content.Length) <= TailBytes).Reverse();
        return Message.RenderAll(tail);
    }

    private static void WriteInput(Utf8JsonWriter json, byte[]? input)
    {
        json.WritePropertyName("input");
        if (input is null) json.WriteNullValue();
        else json.WriteRawValue(input, skipInputValidation: true);
    }
}
