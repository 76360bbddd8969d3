using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Triggers;

internal sealed record RequestList(
    [Member("The captured requests of the page.")] IReadOnlyList<CaptureView> Requests,
    [Member("Where the next page begins, when there is more.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? NextCursor
);
