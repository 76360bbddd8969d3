using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>
/// Documents a member of a wire record: its description, and in the derived attributes its bounds. Every member of a
/// record that a door takes or gives has one.
/// </summary>
/// <param name="words">The description, for who uses the API.</param>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
internal class MemberAttribute(string words) : Attribute
{
    public string Words => words;

    /// <summary>The member of an answer may be left out. In a request every nullable member may.</summary>
    public bool MayBeAbsent { get; init; }

    /// <summary>What the member of a request is when it is left out, or null.</summary>
    public object? Default { get; init; }

    /// <summary>Adds what is known beyond the type.</summary>
    public virtual void Describe(JsonObject schema)
    {
    }
}

/// <summary>A text of a length.</summary>
internal sealed class TextAttribute(string words, int min, int max) : MemberAttribute(words)
{
    public int Min => min;

    public int Max => max;

    /// <summary>Blanks around it are no part of it.</summary>
    public bool Trims { get; init; }

    /// <summary>It is for people: what could not be kept of it is mended.</summary>
    public bool IsProse { get; init; }

    public override void Describe(JsonObject schema)
    {
        if (min > 0) schema["minLength"] = min;
        schema["maxLength"] = max;
    }
}

/// <summary>One of a list of words.</summary>
internal sealed class WordAttribute(string words, params string[] all) : MemberAttribute(words)
{
    public IReadOnlyList<string> All => all;

    public override void Describe(JsonObject schema) => schema["enum"] = new JsonArray([.. all.Select(w => (JsonNode)w)]);
}

/// <summary>A number with bounds.</summary>
internal sealed class WholeAttribute(string words, long min, long max) : MemberAttribute(words)
{
    public long Min => min;

    public long Max => max;

    /// <summary>1.0 and 1e0 are 1 too.</summary>
    public bool HasManySpellings { get; init; }

    public override void Describe(JsonObject schema)
    {
        schema["minimum"] = min;
        if (max < long.MaxValue) schema["maximum"] = max;
    }
}

/// <summary>A list with bounds on the number and the length of its texts.</summary>
internal sealed class TextsAttribute(string words, int maxItems, int maxLength) : MemberAttribute(words)
{
    public int MaxItems => maxItems;

    public int MaxLength => maxLength;

    /// <summary>For the document: who reads says it in words of its own.</summary>
    public int MinItems { get; init; }

    public override void Describe(JsonObject schema)
    {
        if (MinItems > 0) schema["minItems"] = MinItems;
        schema["maxItems"] = maxItems;
        ((JsonObject)schema["items"]!)["minLength"] = 1;
        ((JsonObject)schema["items"]!)["maxLength"] = maxLength;
    }
}

/// <summary>A list with a bound on the number of its items.</summary>
internal sealed class ItemsAttribute(string words, int min, int max) : MemberAttribute(words)
{
    public override void Describe(JsonObject schema) => (schema["minItems"], schema["maxItems"]) = (min, max);
}

/// <summary>An instant as this server writes it: ISO 8601 in UTC.</summary>
internal sealed class AtAttribute(string words) : MemberAttribute(words)
{
    public override void Describe(JsonObject schema) => schema["format"] = "date-time";
}

/// <summary>An instant as requests give it: an ISO 8601 text, or a number (milliseconds unless the words say else).</summary>
internal sealed class InstantAttribute(string words) : MemberAttribute(words)
{
    public override void Describe(JsonObject schema) => schema["type"] = new JsonArray("string", "integer");
}

/// <summary>JSON that the caller chooses: an object, or the types that are named.</summary>
internal sealed class ChosenAttribute(string words, params string[] types) : MemberAttribute(words)
{
    public bool IsObject => types.Length == 0;

    public override void Describe(JsonObject schema)
    {
        string[] all = types.Length == 0 ? ["object"] : types;
        foreach (var type in all) Schemas.Widen(schema, type);
        // Said of each by itself, so that generators make a list or a map of anything of it.
        if (all.Contains("array", StringComparer.Ordinal)) schema["items"] = new JsonObject();
        if (all.Contains("object", StringComparer.Ordinal)) schema["additionalProperties"] = true;
    }
}

/// <summary>
/// Marks the record of a request that refuses members which it does not name. Others take them, and mostly do not look
/// at them.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class StrictAttribute : Attribute;

/// <summary>Marks the record of an answer that has further members beside those it names.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class HasMoreMembersAttribute : Attribute;
