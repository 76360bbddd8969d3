using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Triggers;

internal sealed record CapturedView(
    [Member("The id of the captured request.")] string RequestId,
    [Member("What was done, for people.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? Message,
    [Member("True: it came before.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        bool? Duplicate,
    [Member("True: the filter let it start nothing.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        bool? Filtered
);
