using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>
/// An instant as requests give it: an ISO 8601 text, or a number (milliseconds unless the words say else).
/// </summary>
internal sealed class InstantAttribute(string words) : MemberAttribute(words)
{
    public override void Describe(JsonObject schema) => schema["type"] = new JsonArray("string", "integer");
}
