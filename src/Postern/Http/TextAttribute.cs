using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>A text of a length.</summary>
internal sealed class TextAttribute(string words, int min, int max) : MemberAttribute(words)
{
    /// <summary>Blanks around it are no part of it.</summary>
    public bool Trims { get; init; }

    /// <summary>It is for people: what could not be kept of it is mended.</summary>
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
