using System.Text.Json;
using Postern.Http;

namespace Postern.Approvals;

/// <summary>An answer that an agent offers besides yes and no.</summary>
/// <param name="Value">What the agent reads as <c>response.option</c>.</param>
internal sealed record Choice(string Value, string Label)
{
    private const int Most = 20;

    /// <summary>
    /// Returns the choices of <c>options</c>: a list of texts, or of objects with an <c>id</c> or <c>value</c> and a
    /// <c>label</c>. Other values are not shown on the page.
    /// </summary>
    public static IReadOnlyList<Choice> Of(string? options)
    {
        if (options is null)
            return [];
        using var json = JsonDocument.Parse(options, Wire.Kept);
        if (json.RootElement.ValueKind != JsonValueKind.Array || json.RootElement.GetArrayLength() > Most)
            return [];
        var choices = new List<Choice>();
        foreach (var item in json.RootElement.EnumerateArray())
        {
            var value =
                item.ValueKind == JsonValueKind.String
                    ? JsonText.Of(item)
                    : Text(item, "id") ?? Text(item, "value") ?? Text(item, "label");
            if (value is null)
                return [];
            choices.Add(new Choice(value, Text(item, "label") ?? value));
        }
        return choices;
    }

    private static string? Text(JsonElement item, string name) =>
        item.ValueKind == JsonValueKind.Object
        && item.TryGetProperty(name, out var value)
        && value.ValueKind == JsonValueKind.String
            ? JsonText.Of(value)
            : null;
}
