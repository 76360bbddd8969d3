using System.Text.Json;
using Postern.Http;

namespace Postern.Pages;

/// <summary>Fields of forms that hold JSON.</summary>
internal static class FormJson
{
    private static readonly JsonDocumentOptions Strict = new()
    {
        AllowDuplicateProperties = false,
        MaxDepth = Wire.MaxDepth - 1,
    };

    /// <summary>The value of a field; or the refusal that names it.</summary>
    public static Checked<JsonElement> Value(ConsoleForm form, string name)
    {
        try
        {
            using var json = JsonDocument.Parse(form[name], Strict);
            return json.RootElement.Clone();
        }
        catch (JsonException)
        {
            return Refusal.BadRequest($"{name} is no JSON, or names a member twice.", "invalid_form");
        }
    }

    public static Checked<JsonElement> Object(ConsoleForm form, string name) =>
        Value(form, name).Try(out var value, out var refusal)
            ? value.ValueKind == JsonValueKind.Object
                ? value
                : Refusal.BadRequest($"{name} must be a JSON object.", "invalid_form")
            : refusal;
}
