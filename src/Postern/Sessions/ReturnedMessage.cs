using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>
/// An assistant's message that a client sends back, with the results of the client's own tools. The transcript has the
/// message already. Each result is put beside the call that it answers, one for each call; nothing else of the message
/// is used. The assistant's words do not change.
/// </summary>
internal static class ReturnedMessage
{
    /// <summary>Returns the stored blocks with the results, or null when they answer no open call.</summary>
    /// <param name="stored">The content of the message in the transcript, a JSON array of blocks.</param>
    /// <param name="returned">The content that came back, a JSON array of parts.</param>
    public static byte[]? Merge(byte[] stored, byte[] returned)
    {
        using var came = JsonDocument.Parse(returned, Wire.Kept);
        var results = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var part in came.RootElement.EnumerateArray())
            if (CallAnsweredBy(part) is { } call)
                results.TryAdd(call, part);
        if (results.Count == 0)
            return null;

        using var there = JsonDocument.Parse(stored, Wire.Kept);
        foreach (var block in there.RootElement.EnumerateArray())
            if (CallAnsweredBy(block) is { } call)
                results.Remove(call);
        var changed = false;
        var content = ChatMessage.Write(json =>
        {
            foreach (var block in there.RootElement.EnumerateArray())
            {
                var part = default(JsonElement);
                var isAnswered = OpenCall(block) is { } call && results.Remove(call, out part);
                changed |= isAnswered;
                if (!isAnswered)
                    block.WriteTo(json);
                else if (TextOf(block, "type") == "toolCall")
                {
                    block.WriteTo(json);
                    WriteResult(json, part);
                }
                else
                    WriteAnswered(json, block, part);
            }
        });
        return changed ? content : null;
    }

    /// <summary>Returns the call whose result a block contains; null for other blocks.</summary>
    private static string? CallAnsweredBy(JsonElement block) =>
        TextOf(block, "type") switch
        {
            "toolResult" => TextOf(block, "toolCallId"),
            var type when IsToolPart(type) && HasResult(block) => TextOf(block, "toolCallId"),
            _ => null,
        };

    /// <summary>Returns the call that a block makes; null for other blocks.</summary>
    private static string? OpenCall(JsonElement block) =>
        TextOf(block, "type") switch
        {
            "toolCall" => TextOf(block, "id"),
            var type when IsToolPart(type) => TextOf(block, "toolCallId"),
            _ => null,
        };

    private static bool IsFailure(JsonElement part) => TextOf(part, "state") is "output-error" or "output-denied";

    private static bool HasResult(JsonElement part) => part.TryGetProperty("output", out _) || IsFailure(part);

    private static bool IsToolPart(string? type) =>
        type == "dynamic-tool" || type?.StartsWith("tool-", StringComparison.Ordinal) == true;

    /// <summary>A result in the transcript's form, marked as given by the client and not by the agent.</summary>
    private static void WriteResult(Utf8JsonWriter json, JsonElement part)
    {
        json.WriteStartObject();
        json.WriteString("type", "toolResult");
        json.WriteString("toolCallId", TextOf(part, "toolCallId"));
        json.WritePropertyName("output");
        if (part.TryGetProperty("output", out var output))
            output.WriteTo(json);
        else
            json.WriteStringValue(TextOf(part, "errorText") ?? "denied");
        if (IsFailure(part))
            json.WriteBoolean("isError", true);
        json.WriteString("from", "client");
        json.WriteEndObject();
    }

    /// <summary>
    /// A part of another message may be both a call and its result: the call stays, the result is new.
    /// </summary>
    private static void WriteAnswered(Utf8JsonWriter json, JsonElement block, JsonElement part)
    {
        json.WriteStartObject();
        foreach (var member in block.EnumerateObject().Where(m => !IsOfResult(m)))
            member.WriteTo(json);
        foreach (var member in part.EnumerateObject().Where(IsOfResult))
            member.WriteTo(json);
        json.WriteEndObject();
    }

    private static bool IsOfResult(JsonProperty member) => member.Name is "state" or "output" or "errorText";

    private static string? TextOf(JsonElement block, string name)
    {
        if (block.ValueKind != JsonValueKind.Object || !block.TryGetProperty(name, out var value))
            return null;
        return value.ValueKind == JsonValueKind.String ? JsonText.Of(value) : null;
    }
}
