using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.Net.Http.Headers;
using Postern.Deliveries;
using Postern.Http;
using Postern.Runs;

namespace Postern.Dispatch;

/// <summary>
/// The body of a 2xx to a dispatch. An empty body, a short word such as <c>OK</c>, or JSON without a status accepts the
/// run. <c>{"status":"succeeded","output":"…"}</c> ends the work at once. Any other body was meant as an answer but is
/// not valid: the run fails with the reason, because no other end would come.
/// </summary>
/// <param name="Status">A state of the run's workflow.</param>
/// <param name="Output">JSON; null when there is none.</param>
/// <param name="Text">What is said in a session; null when there is no output.</param>
/// <param name="Failure">What went wrong, should the status be a failure.</param>
internal sealed record AgentAnswer(string Status, byte[]? Output, string? Text, Failure Failure)
{
    /// <summary>The bytes around the output.</summary>
    private const int Envelope = 16 * 1024;

    /// <summary>
    /// The most bytes of an answer that are read: the largest output of a run, with what is around it.
    /// </summary>
    public const int MaxBytes = RunReports.MaxOutput + Envelope;

    /// <summary>The most bytes of a text that is no JSON and accepts the run.</summary>
    private const int MaxWord = 1024;

    /// <summary>The words with which agents accept work and report later.</summary>
    private static readonly string[] TakenOn =
    [
        "accepted",
        "ok",
        "pending",
        "processing",
        Phase.Queued,
        "received",
        "scheduled",
        "started",
    ];

    /// <summary>Returns the answer, or what is wrong with it; neither when the run is only accepted.</summary>
    public static (AgentAnswer? Finished, string? Problem) Read(SendAnswer? answer)
    {
        if (answer is null || answer.Body.Length == 0)
            return (null, null);
        if (
            !BodyEncoding
                .Undo(answer.Body, answer.ContentType, answer.ContentEncoding, MaxBytes)
                .Try(out var text, out var refusal)
        )
            return (null, refusal.Status == 413 ? TooLarge : refusal.Message);
        var begins = text.Span.TrimStart(" \t\r\n"u8);
        if (!IsMeant(answer, begins))
            return (null, null);
        if (!answer.IsWhole)
            return (null, WhyBroken(answer, begins));
        return Utf8.IsValid(text.Span) ? Parse(text) : (null, "it is no JSON in UTF-8");
    }

    /// <summary>
    /// Returns whether a body is meant as an answer. Many agents answer with a word that means nothing.
    /// </summary>
    private static bool IsMeant(SendAnswer answer, ReadOnlySpan<byte> begins)
    {
        if (begins.Length == 0 && answer.IsWhole)
            return false;
        return IsJson(answer.ContentType)
            || begins is [(byte)'{' or (byte)'[' or (byte)'<', ..]
            || begins.Length > MaxWord;
    }

    private static string? WhyBroken(SendAnswer answer, ReadOnlySpan<byte> begins)
    {
        if (answer.Body.Length >= MaxBytes)
            return TooLarge;
        return begins.Length == 0 ? null : "it broke off";
    }

    private static (AgentAnswer? Finished, string? Problem) Parse(ReadOnlyMemory<byte> text)
    {
        try
        {
            using var json = JsonDocument.Parse(
                MendedJson.NamesOf(text),
                new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = Wire.MaxDepth }
            );
            return Read(json.RootElement);
        }
        catch (JsonException)
        {
            return (null, $"it is no strict JSON (names once, depth at most {Wire.MaxDepth})");
        }
    }

    private static string TooLarge => $"it has more than {MaxBytes} bytes";

    private static (AgentAnswer? Finished, string? Problem) Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            return (null, null);
        if (!root.TryGetProperty("status", out var status))
            return (null, null);
        if (status.ValueKind != JsonValueKind.String || JsonText.Of(status) is not { Length: > 0 and <= 64 } state)
            return (null, "its status is no text of 1 to 64 characters");
        var hasOutput = root.TryGetProperty("output", out var given) && given.ValueKind != JsonValueKind.Null;
        if (!hasOutput)
            return TakenOn.Contains(state, StringComparer.OrdinalIgnoreCase)
                ? (null, null)
                : (new AgentAnswer(state, null, null, FailureOf(root, null)), null);
        if (MendedJson.Keepable(given) is not { } output)
            return (null, "its output holds two names that differ by a NUL only");
        var body = Encoding.UTF8.GetBytes(output.GetRawText());
        if (body.Length > RunReports.MaxOutput)
            return (null, $"its output has more than {RunReports.MaxOutput} bytes");
        var text = TextOf(output);
        return (new AgentAnswer(state, body, text, FailureOf(root, text)), null);
    }

    /// <summary>Returns the part of an output for people: its text, or all of it.</summary>
    private static string? TextOf(JsonElement output)
    {
        var isObject = output.ValueKind == JsonValueKind.Object;
        var inner = isObject && output.TryGetProperty("text", out var member) ? member : output;
        return inner.ValueKind == JsonValueKind.String ? inner.GetString() : output.GetRawText();
    }

    private static Failure FailureOf(JsonElement root, string? text)
    {
        var failure = root.TryGetProperty("failure", out var said) ? said : default;
        var reported = failure.ValueKind == JsonValueKind.String ? Cut(failure, 4096) : Word("message", 4096);
        var message = reported ?? (text is null ? "The agent reported a failure." : Wire.Cut(text, 4096));
        return new Failure(Word("code", 128) ?? "agent_failed", message, Word("stage", 128));

        string? Word(string name, int most) =>
            failure.ValueKind == JsonValueKind.Object && failure.TryGetProperty(name, out var word)
                ? Cut(word, most)
                : null;
    }

    private static string? Cut(JsonElement word, int most) =>
        word.ValueKind == JsonValueKind.String && MendedJson.TextOf(word) is { Length: > 0 } text
            ? Wire.Cut(text, most)
            : null;

    private static bool IsJson(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out var type)
        && (
            type.SubType.Equals("json", StringComparison.OrdinalIgnoreCase)
            || type.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase)
        );
}
