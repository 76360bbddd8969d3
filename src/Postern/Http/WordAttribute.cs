using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>One of a list of words.</summary>
internal sealed class WordAttribute(string words, params string[] all) : MemberAttribute(words)
{
    public IReadOnlyList<string> All => all;

    public override void Describe(JsonObject schema) =>
        schema["enum"] = new JsonArray([.. all.Select(w => (JsonNode)w)]);
}
