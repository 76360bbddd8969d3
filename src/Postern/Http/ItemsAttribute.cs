using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>A list with a bound on the number of its items.</summary>
internal sealed class ItemsAttribute(string words, int min, int max) : MemberAttribute(words)
{
    public override void Describe(JsonObject schema) => (schema["minItems"], schema["maxItems"]) = (min, max);
}
