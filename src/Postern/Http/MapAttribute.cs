using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>
/// An object whose names the caller chooses, with a limit on their number: of records, of whole numbers, or of texts
/// under names of 1 to 128 characters.
/// </summary>
internal sealed class MapAttribute(string description, int maxItems) : MemberAttribute(description)
{
    /// <summary>The least allowed number.</summary>
    public long Min { get; init; }

    /// <summary>The greatest allowed number.</summary>
    public long Max { get; init; } = long.MaxValue;

    /// <summary>The most characters of a text.</summary>
    public int MaxLength { get; init; }

    public override void Describe(JsonObject schema)
    {
        schema["maxProperties"] = maxItems;
        if (schema["additionalProperties"] is not JsonObject value)
            return;
        if (MaxLength > 0)
            value["maxLength"] = MaxLength;
        else if ((string?)value["type"] == "integer")
            (value["minimum"], value["maximum"]) = (Min, Max);
    }

    public override MemberRead? ReaderOf(Type type)
    {
        if (type == typeof(IReadOnlyDictionary<string, long>))
            return (fields, name, _) => MemberValue.Wholes(fields, name, maxItems, Min, Max);
        if (type == typeof(IReadOnlyDictionary<string, string>))
            return (fields, name, _) => MemberValue.TextsByName(fields, name, maxItems, MaxLength);
        return
            type.IsGenericType
            && type.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>)
            && type.GetGenericArguments() is [var key, var record]
            && key == typeof(string)
            && RecordParts.IsRecord(record)
            ? RecordParts.MapReaderOf(record, maxItems)
            : null;
    }
}
