using System.Text.Json;
using Postern.Approvals;
using Postern.Http;

namespace Postern.Pages;

/// <summary>One block of a message as a person reads it: a text, or something folded under a name.</summary>
/// <param name="Name">What is folded, such as a tool's name; null for a text.</param>
internal sealed record MessageBlock(string? Name, string Text)
{
    /// <summary>The most characters of one block that a page shows. The records contain the whole.</summary>
    private const int Most = 100_000;

    public static IReadOnlyList<MessageBlock> Of(byte[] content)
    {
        using var json = JsonDocument.Parse(content, Wire.Kept);
        if (json.RootElement.ValueKind != JsonValueKind.Array)
            return [new(null, Cut(Visible.Payload(content) ?? ""))];
        return [.. json.RootElement.EnumerateArray().Select(Block)];
    }

    private static MessageBlock Block(JsonElement block)
    {
        if (block.ValueKind == JsonValueKind.String)
            return new(null, Cut(JsonText.Of(block) ?? ""));
        var type = Member(block, "type") ?? "block";
        if (type == "text" && Member(block, "text") is { } text)
            return new(null, Cut(text));
        var name = Member(block, "name") ?? Member(block, "toolName");
        return new(name is null ? type : $"{type}: {name}", Cut(Shown(block)));
    }

    /// <summary>The value, indented. Hidden characters are shown as codes by the page.</summary>
    private static string Shown(JsonElement block) => JsonSerializer.Serialize(block, Indented);

    private static readonly JsonSerializerOptions Indented = new(Wire.Json) { WriteIndented = true };

    private static string? Member(JsonElement block, string name) =>
        block.ValueKind == JsonValueKind.Object
        && block.TryGetProperty(name, out var value)
        && value.ValueKind == JsonValueKind.String
            ? JsonText.Of(value)
            : null;

    private static string Cut(string text) =>
        text.Length <= Most ? text : Wire.Cut(text, Most) + $"\n… {text.Length - Most} more characters";
}
