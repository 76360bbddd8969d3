using System.Text.Json;
using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>
/// An instant as requests give it: an ISO 8601 text, or a number (milliseconds unless the words say else). Read as
/// microseconds; a member that is a <see cref="JsonElement"/> is as it came, and its handler says what it means.
/// </summary>
internal sealed class InstantAttribute(string words) : MemberAttribute(words)
{
    public override void Describe(JsonObject schema) => schema["type"] = new JsonArray("string", "integer");

    public override MemberRead? ReaderOf(Type type) =>
        type == typeof(long) ? (fields, name, isRequired) => MemberValue.Instant(fields, name, isRequired)
        : type == typeof(JsonElement) ? (fields, name, _) => fields.Find(name)
        : null;
}
