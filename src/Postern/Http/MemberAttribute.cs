using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>
/// Documents and reads a member of a wire record: its description, and in the derived attributes its bounds. Every
/// member of a record that a door takes or gives has one. By itself it is for what its type says enough of: truth
/// values, records, maps of records.
/// </summary>
/// <param name="words">The description, for who uses the API.</param>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
internal class MemberAttribute(string words) : Attribute
{
    public string Words => words;

    /// <summary>The member of an answer may be left out. In a request every nullable member may.</summary>
    public bool MayBeAbsent { get; init; }

    /// <summary>The value of a request's member that is left out; null when it has none.</summary>
    public object? Default { get; init; }

    /// <summary>Adds what is known beyond the type.</summary>
    public virtual void Describe(JsonObject schema) { }

    /// <summary>Returns how members of a type are read; null when this kind of member cannot be of it.</summary>
    /// <param name="type">The member's type, not nullable.</param>
    public virtual MemberRead? ReaderOf(Type type)
    {
        if (type == typeof(bool))
            return (fields, name, _) => MemberValue.Flag(fields, name);
        return RecordParts.IsRecord(type) ? RecordParts.ReaderOf(type) : null;
    }
}
