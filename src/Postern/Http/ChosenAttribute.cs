using System.Text.Json;
using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>JSON that the caller chooses, of certain types: an object, or the named ones. It is mended.</summary>
internal sealed class ChosenAttribute : AnyJsonAttribute
{
    private readonly string[] _types;

    public ChosenAttribute(string description, params string[] types)
        : base(description)
    {
        _types = types.Length == 0 ? ["object"] : types;
        IsMended = true;
    }

    public override void Describe(JsonObject schema)
    {
        foreach (var type in _types)
            Schemas.Widen(schema, type);
        // Repeated for each type, because generators need it to make a typed list or map.
        if (_types.Contains("array", StringComparer.Ordinal))
            schema["items"] = new JsonObject();
        if (_types.Contains("object", StringComparer.Ordinal))
            schema["additionalProperties"] = true;
    }

    protected override bool Fits(Fields fields, string name, JsonElement given)
    {
        var type = given.ValueKind switch
        {
            JsonValueKind.Object => "object",
            JsonValueKind.Array => "array",
            JsonValueKind.String => "string",
            _ => "",
        };
        if (_types.Contains(type, StringComparer.Ordinal))
            return true;
        fields.Fault(name, "must be " + string.Join(" or ", _types.Select(NameOf)));
        return false;
    }

    private static string NameOf(string type) =>
        type switch
        {
            "object" => "an object",
            "array" => "a list",
            _ => "a text",
        };
}
