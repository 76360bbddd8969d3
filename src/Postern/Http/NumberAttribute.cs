using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>A number with limits; fractions are allowed.</summary>
internal sealed class NumberAttribute(string description, long min, long max) : MemberAttribute(description)
{
    /// <summary>Whether it must be greater than the lower limit, not equal to it.</summary>
    public bool IsOver { get; init; }

    public override void Describe(JsonObject schema)
    {
        schema[IsOver ? "exclusiveMinimum" : "minimum"] = min;
        schema["maximum"] = max;
    }

    public override MemberRead? ReaderOf(Type type) =>
        type == typeof(decimal) ? (fields, name, _) => MemberValue.Number(fields, name, min, max, IsOver) : null;
}
