using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.WebUtilities;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>
/// The body of a captured request as its sender meant it: a text, and a JSON value if it is JSON or a form. A form
/// becomes an object of its fields; a form whose <c>payload</c> is JSON, as GitHub sends it, becomes that JSON. Only
/// the original bytes are stored; this is made from them each time.
/// </summary>
internal sealed class InboundBody : IDisposable
{
    private const string PayloadField = "payload";
    private static readonly JsonDocumentOptions Lenient = new() { MaxDepth = Wire.MaxDepth };
    private readonly JsonDocument? _json;

    private InboundBody(string text, JsonDocument? json, bool isUnreadableJson)
    {
        (Text, _json, IsUnreadableJson) = (text, json, isUnreadableJson);
    }

    /// <summary>The empty body of a schedule's occurrence.</summary>
    public static InboundBody None { get; } = new("", null, false);

    /// <summary>
    /// The body as text, without a byte order mark and without NUL; for a form with a payload, that payload.
    /// </summary>
    public string Text { get; }

    /// <summary>The body as JSON; null when it is not JSON.</summary>
    public JsonElement? Json => _json?.RootElement;

    /// <summary>Whether the sender says that it is JSON although it is not.</summary>
    public bool IsUnreadableJson { get; }

    /// <summary>Returns the body, or why it cannot be read.</summary>
    /// <param name="bytes">As they came.</param>
    /// <param name="contentType">The header, in any spelling; null when there is none.</param>
    /// <param name="contentEncoding">The header's values.</param>
    /// <param name="limit">Bytes of what it is after compression is undone.</param>
    public static Checked<InboundBody> Read(
        ReadOnlyMemory<byte> bytes,
        string? contentType,
        IEnumerable<string?> contentEncoding,
        int limit
    )
    {
        if (!BodyEncoding.Undo(bytes, contentType, contentEncoding, limit).Try(out var text, out var refusal))
            return refusal;
        // Whatever its parameters are.
        var type = (contentType ?? "").Split(';')[0].Trim();
        var shown = Encoding.UTF8.GetString(text.Span).Replace("\0", "", StringComparison.Ordinal);
        if (type.Equals("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase))
            return OfForm(shown);
        var json = Parse(text);
        return new InboundBody(shown, json, json is null && text.Length > 0 && SaysJson(type));
    }

    /// <summary>Returns the body of a stored request. When it cannot be read, it is its text.</summary>
    public static InboundBody OfCaptured(InboundRequest incoming, int limit)
    {
        IEnumerable<string?> coding = incoming.Headers.TryGetValue("content-encoding", out var named) ? [named] : [];
        return Read(incoming.Body, incoming.ContentType, coding, limit).Try(out var body, out _)
            ? body
            : new InboundBody(Encoding.UTF8.GetString(incoming.Body), null, false);
    }

    public void Dispose() => _json?.Dispose();

    private static bool SaysJson(string type) =>
        type.EndsWith("/json", StringComparison.OrdinalIgnoreCase)
        || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase);

    private static JsonDocument? Parse(ReadOnlyMemory<byte> text)
    {
        // The JSON parser accepts invalid bytes inside of texts.
        if (!Utf8.IsValid(text.Span))
            return null;
        try
        {
            return text.Length == 0 ? null : JsonDocument.Parse(MendedJson.Of(text), Lenient);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static InboundBody OfForm(string text)
    {
        var fields = QueryHelpers.ParseQuery(text);
        if (fields.Count == 0)
            return new InboundBody(text, null, false);
        if (
            fields.TryGetValue(PayloadField, out var payload)
            && payload is [{ } only]
            && Parse(Encoding.UTF8.GetBytes(only)) is { } json
        )
        {
            if (json.RootElement.ValueKind is JsonValueKind.Object or JsonValueKind.Array)
                return new InboundBody(Kept(only), json, false);
            json.Dispose();
        }
        var written = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(written, Wire.WriterOptions))
        {
            writer.WriteStartObject();
            foreach (var (name, values) in fields)
            {
                if (values.Count == 1)
                    writer.WriteString(Kept(name), Kept(values[0]));
                else
                {
                    writer.WriteStartArray(Kept(name));
                    foreach (var value in values)
                        writer.WriteStringValue(Kept(value));
                    writer.WriteEndArray();
                }
            }
            writer.WriteEndObject();
        }
        return new InboundBody(text, JsonDocument.Parse(written.WrittenMemory), false);
    }

    /// <summary>Returns a text without NUL, which databases do not store.</summary>
    public static string Kept(string? text) => (text ?? "").Replace("\0", "", StringComparison.Ordinal);
}
