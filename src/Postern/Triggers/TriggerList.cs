using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Triggers;

internal sealed record TriggerList(
    [Member("The triggers of the page.")] IReadOnlyList<TriggerView> Triggers,
    [Member("Where the next page begins, when there is more.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? NextCursor
);
