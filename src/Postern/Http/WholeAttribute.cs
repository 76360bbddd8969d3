using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>A whole number with limits.</summary>
internal sealed class WholeAttribute(string description, long min, long max) : MemberAttribute(description)
{
    /// <summary>1.0 and 1e0 are 1 too.</summary>
    public bool HasManySpellings { get; init; }

    public override void Describe(JsonObject schema)
    {
        schema["minimum"] = min;
        if (max < long.MaxValue)
            schema["maximum"] = max;
    }

    public override MemberRead? ReaderOf(Type type) =>
        type != typeof(long) ? null
        : HasManySpellings ? (fields, name, _) => MemberValue.Integer(fields, name, min, max)
        : (fields, name, isRequired) => MemberValue.Whole(fields, name, min, max, isRequired);
}
