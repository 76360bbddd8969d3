using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>What a record on <c>in</c> asks for, and the message in it for the transcript, if there is one.</summary>
internal sealed record InEffect(InKind Kind, ChatMessage? Message)
{
    /// <summary>
    /// Why a record that is meant as a chat record is not valid. It is refused, not stored as any other text.
    /// </summary>
    public string? Problem { get; private init; }

    private static readonly InEffect None = new(InKind.Other, null);

    /// <summary>
    /// Reads a record's JSON. A record that is no chat record is <see cref="InKind.Other"/>: any text may be appended.
    /// </summary>
    /// <param name="text">The record as it came.</param>
    /// <param name="asUser">Whoever sends it speaks as the user, whatever role the message claims.</param>
    public static InEffect Read(ReadOnlyMemory<byte> text, bool asUser = false)
    {
        if (text.Length == 0 || text.Span.TrimStart(" \t\r\n"u8)[..] is not [(byte)'{', ..])
            return None;
        try
        {
            using var json = JsonDocument.Parse(MendedJson.Of(text));
            return ReadMended(json.RootElement, asUser);
        }
        catch (JsonException)
        {
            return IsTooDeep(text) ? None with { Problem = $"is nested deeper than {Wire.MaxDepth}" } : None;
        }
    }

    /// <summary>
    /// Returns whether a text would be JSON if it were not too deep. Its message would be missing from the transcript.
    /// </summary>
    private static bool IsTooDeep(ReadOnlyMemory<byte> text)
    {
        var reader = new Utf8JsonReader(text.Span, new JsonReaderOptions { MaxDepth = int.MaxValue });
        try
        {
            while (reader.Read()) { }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <inheritdoc cref="Read(ReadOnlyMemory{byte}, bool)"/>
    public static InEffect Read(JsonElement data, bool asUser = false)
    {
        return data.ValueKind switch
        {
            JsonValueKind.String => Read(Encoding.UTF8.GetBytes(MendedJson.TextOf(data)), asUser),
            JsonValueKind.Object => Read(JsonMarshal.GetRawUtf8Value(data).ToArray(), asUser),
            _ => None,
        };
    }

    /// <param name="data">Mended: every text in it is valid, and the text that is checked is the one that is
    /// stored.</param>
    /// <param name="asUser">Whoever sends it speaks as the user.</param>
    private static InEffect ReadMended(JsonElement data, bool asUser)
    {
        if (
            data.ValueKind != JsonValueKind.Object
            || !data.TryGetProperty("kind", out var kind)
            || kind.ValueKind != JsonValueKind.String
        )
            return None;
        if (kind.ValueEquals("stop"))
            return new InEffect(InKind.Stop, null);
        if (
            !kind.ValueEquals("message")
            || !data.TryGetProperty("payload", out var payload)
            || payload.ValueKind != JsonValueKind.Object
        )
            return None;
        if (
            payload.TryGetProperty("trigger", out var trigger)
            && trigger.ValueKind == JsonValueKind.String
            && trigger.ValueEquals("close")
        )
            return new InEffect(InKind.Close, null);
        return new InEffect(InKind.Message, ChatMessage.Read(payload, asUser));
    }
}
