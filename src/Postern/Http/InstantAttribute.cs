using System.Text.Json;
using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>
/// An instant in a request: an ISO 8601 text, or a number (milliseconds, unless the description says otherwise). It is
/// read as microseconds. A member of the type JsonElement is read unchanged, for its handler.
/// </summary>
internal sealed class InstantAttribute(string description) : MemberAttribute(description)
{
    public override void Describe(JsonObject schema) => schema["type"] = new JsonArray("string", "integer");

    public override MemberRead? ReaderOf(Type type) =>
        type == typeof(long) ? (fields, name, isRequired) => MemberValue.Instant(fields, name, isRequired)
        : type == typeof(JsonElement) ? (fields, name, _) => fields.Find(name)
        : null;
}
