using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>
/// Documents and reads a member of a wire record: its description, and in derived attributes its limits. Every member
/// of a record that a door accepts or returns has one. Used by itself when the type is enough: truth values, records,
/// maps of records.
/// </summary>
/// <param name="description">The description, for who uses the API.</param>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
internal class MemberAttribute(string description) : Attribute
{
    public string Description => description;

    /// <summary>Whether the member of an answer may be missing. In a request every nullable member may.</summary>
    public bool MayBeAbsent { get; init; }

    /// <summary>The value of a missing member of a request; null when it has none.</summary>
    public object? Default { get; init; }

    /// <summary>Adds what is known besides the type.</summary>
    public virtual void Describe(JsonObject schema) { }

    /// <summary>Returns how members of a type are read, or null when this attribute does not fit the type.</summary>
    /// <param name="type">The member's type, not nullable.</param>
    public virtual MemberRead? ReaderOf(Type type)
    {
        if (type == typeof(bool))
            return (fields, name, _) => MemberValue.Flag(fields, name);
        return RecordParts.IsRecord(type) ? RecordParts.ReaderOf(type) : null;
    }
}
