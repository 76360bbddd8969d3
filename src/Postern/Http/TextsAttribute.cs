using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>A list of texts, with limits on their number and length.</summary>
internal sealed class TextsAttribute(string description, int maxItems, int maxLength) : MemberAttribute(description)
{
    /// <summary>Only for the document: the handler checks it and has its own message.</summary>
    public int MinItems { get; init; }

    public override void Describe(JsonObject schema)
    {
        if (MinItems > 0)
            schema["minItems"] = MinItems;
        schema["maxItems"] = maxItems;
        ((JsonObject)schema["items"]!)["minLength"] = 1;
        ((JsonObject)schema["items"]!)["maxLength"] = maxLength;
    }

    public override MemberRead? ReaderOf(Type type) =>
        type.IsAssignableFrom(typeof(List<string>))
            ? (fields, name, isRequired) => MemberValue.Texts(fields, name, maxItems, maxLength, isRequired)
            : null;
}
