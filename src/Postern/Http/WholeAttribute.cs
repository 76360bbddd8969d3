using System.Text.Json.Nodes;

namespace Postern.Http;

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
        if (max < long.MaxValue)
            schema["maximum"] = max;
    }
}
