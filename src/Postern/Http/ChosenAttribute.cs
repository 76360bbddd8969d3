using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>JSON that the caller chooses: an object, or the types that are named.</summary>
internal sealed class ChosenAttribute(string words, params string[] types) : MemberAttribute(words)
{
    public bool IsObject => types.Length == 0;

    public override void Describe(JsonObject schema)
    {
        string[] all = types.Length == 0 ? ["object"] : types;
        foreach (var type in all)
            Schemas.Widen(schema, type);
        // Said of each by itself, so that generators make a list or a map of anything of it.
        if (all.Contains("array", StringComparer.Ordinal))
            schema["items"] = new JsonObject();
        if (all.Contains("object", StringComparer.Ordinal))
            schema["additionalProperties"] = true;
    }
}
