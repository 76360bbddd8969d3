using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>A list with a limit on the number of its items.</summary>
internal sealed class ItemsAttribute(string description, int min, int max) : MemberAttribute(description)
{
    public override void Describe(JsonObject schema) => (schema["minItems"], schema["maxItems"]) = (min, max);

    public override MemberRead? ReaderOf(Type type) =>
        type.IsGenericType && type.GetGenericArguments() is [var record] && RecordParts.IsRecord(record)
            ? RecordParts.ListReaderOf(record, max)
            : null;
}
