using System.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>
/// Sends a request to a trigger's own public URL, as its sender would: over HTTP, signed with the trigger's secret,
/// which is shown to nobody. The request is marked as a test. A credential may send <see cref="OwnDoor.PerMinute"/> of
/// them in a minute.
/// </summary>
internal sealed class TestSender(TriggerStore triggers, TriggerUrls urls, OwnDoor door, Database database)
{
    public const string Mark = "x-postern-test";
    public const string Right = "right";
    public const string Wrong = "wrong";
    public const string Old = "old";
    public const string Twice = "twice";
    public static readonly string[] Ways = [Right, Wrong, Old, Twice];
    private const long TenMinutes = 600;

    /// <summary>Sends it, once or twice; or returns why it is refused, and sends nothing.</summary>
    /// <param name="caller">On whose behalf.</param>
    /// <param name="trigger">To which.</param>
    /// <param name="example">What is sent.</param>
    /// <param name="way">One of <see cref="Ways"/>.</param>
    /// <param name="cancel">The request's.</param>
    public async Task<Checked<TestSent>> SendAsync(
        ProjectCaller caller,
        Trigger trigger,
        WebhookExample example,
        string way,
        CancellationToken cancel
    )
    {
        var body = Encoding.UTF8.GetBytes(example.Body);
        var id = Guid.NewGuid().ToString("N");
        if (!SignatureOf(trigger, body, way, id).Try(out var signature, out var refusal))
            return refusal;
        if (door.Slower(caller) is { } slower)
            return slower;
        var path = await urls.PathOfAsync(trigger);
        var answers = new List<TestAnswer>();
        for (var time = way == Twice ? 2 : 1; time > 0; time--)
        {
            caller.EnsureStillAllowed();
            var sent = await SendOnceAsync(path, body, [.. example.Headers], signature, cancel);
            if (!sent.Try(out var answer, out var unreachable))
                return unreachable;
            answers.Add(new TestAnswer(answer.Status, CaptureOf(answer.Body)));
        }
        return new TestSent(answers);
    }

    private Checked<List<(string Name, string Value)>> SignatureOf(Trigger trigger, byte[] body, string way, string id)
    {
        if (trigger.Mode != Trigger.Webhook)
            return new Refusal(409, "A schedule takes no requests: fire it instead.", "not_a_webhook");
        if (triggers.RuleOf(trigger) is not { } rule)
            return way is Wrong or Old
                ? new Refusal(409, "It asks for no signature, so none can be wrong or old.", "not_signed")
                : new List<(string, string)>();
        if (way == Old && !SignatureWriter.SignsTime(rule))
            return new Refusal(409, $"{rule.Scheme.Name} signs no time, so none is too old.", "not_timed");
        var seconds = (database.Now / 1_000_000) - (way == Old ? TenMinutes : 0);
        return SignatureWriter.Sign(rule, body, seconds, id, way == Wrong) is { } signed
            ? signed
            : new Refusal(409, "Its senders sign with a private key, which this server does not have.", "not_signable");
    }

    private Task<Checked<OwnAnswer>> SendOnceAsync(
        string path,
        byte[] body,
        List<(string Name, string Value)> headers,
        List<(string Name, string Value)> signature,
        CancellationToken cancel
    )
    {
        var type = headers.FirstOrDefault(h => h.Name.Equals("content-type", StringComparison.OrdinalIgnoreCase)).Value;
        var others = headers.Where(h =>
            !h.Name.Equals("content-type", StringComparison.OrdinalIgnoreCase)
            && !signature.Exists(s => s.Name.Equals(h.Name, StringComparison.OrdinalIgnoreCase))
        );
        return door.PostAsync(path, body, type ?? "application/json", [.. others, .. signature, (Mark, "1")], cancel);
    }

    /// <summary>Returns the capture that the answer names, or null when it names none.</summary>
    private static string? CaptureOf(ReadOnlyMemory<byte> answer)
    {
        try
        {
            using var json = JsonDocument.Parse(answer);
            return
                json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("data", out var data)
                && data.ValueKind == JsonValueKind.Object
                && data.TryGetProperty("requestId", out var id)
                && id.ValueKind == JsonValueKind.String
                ? id.GetString()
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
