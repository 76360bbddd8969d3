using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>A list with a limit on the number of its items.</summary>
internal sealed class ItemsAttribute(string words, int min, int max) : MemberAttribute(words)
{
    public override void Describe(JsonObject schema) => (schema["minItems"], schema["maxItems"]) = (min, max);

    public override MemberRead? ReaderOf(Type type) =>
        type.IsGenericType && type.GetGenericArguments() is [var record] && RecordParts.IsRecord(record)
            ? RecordParts.ListReaderOf(record, max)
            : null;
}
