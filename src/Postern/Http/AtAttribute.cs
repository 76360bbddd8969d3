using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>An instant as this server writes it: ISO 8601 in UTC.</summary>
internal sealed class AtAttribute(string words) : MemberAttribute(words)
{
    public override void Describe(JsonObject schema) => schema["format"] = "date-time";
}
