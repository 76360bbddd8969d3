using System.Text.Json;
using Postern.Http;

namespace Postern.Pages;

/// <summary>Reads fields of forms that contain JSON.</summary>
internal static class FormJson
{
    private static readonly JsonDocumentOptions Strict = new()
    {
        AllowDuplicateProperties = false,
        MaxDepth = Wire.MaxDepth - 1,
    };

    /// <summary>Returns the value of a field, or a refusal that names it.</summary>
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
