using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>
/// An instant in this server's form: ISO 8601 in UTC. In a request it is an RFC 3339 text, read as microseconds.
/// </summary>
internal sealed class AtAttribute(string description) : MemberAttribute(description)
{
    public override void Describe(JsonObject schema) => (schema["type"], schema["format"]) = ("string", "date-time");

    public override MemberRead? ReaderOf(Type type) =>
        type == typeof(long) ? (fields, name, isRequired) => MemberValue.Moment(fields, name, isRequired) : null;
}
