using System.Text.Json;
using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>JSON that the caller chooses, of certain types: an object, or those that are named. It is mended.</summary>
internal sealed class ChosenAttribute : AnyJsonAttribute
{
    private readonly string[] _types;

    public ChosenAttribute(string words, params string[] types)
        : base(words)
    {
        _types = types.Length == 0 ? ["object"] : types;
        IsMended = true;
    }

    public override void Describe(JsonObject schema)
    {
        foreach (var type in _types)
            Schemas.Widen(schema, type);
        // Said of each by itself, so that generators make a list or a map of anything of it.
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
        fields.Fault(name, "must be " + string.Join(" or ", _types.Select(WordsOf)));
        return false;
    }

    private static string WordsOf(string type) =>
        type switch
        {
            "object" => "an object",
            "array" => "a list",
            _ => "a text",
        };
}
