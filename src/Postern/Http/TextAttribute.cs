using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>A text with a limited length.</summary>
internal sealed class TextAttribute(string description, int min, int max) : MemberAttribute(description)
{
    /// <summary>Whether blanks around it are removed.</summary>
    public bool Trims { get; init; }

    /// <summary>Whether it is for people: then it is mended when it could not be stored.</summary>
    public bool IsProse { get; init; }

    public override void Describe(JsonObject schema)
    {
        if (min > 0)
            schema["minLength"] = min;
        schema["maxLength"] = max;
    }

    public override MemberRead? ReaderOf(Type type) =>
        type != typeof(string) ? null
        : IsProse ? (fields, name, _) => MemberValue.Prose(fields, name, min, max)
        : (fields, name, isRequired) => MemberValue.Text(fields, name, min, max, isRequired, Trims);
}
