using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Sessions;

internal sealed record PageLinks(
    [Member("Give it as page[after].")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? Next,
    [Member("Give it as page[before].")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? Previous
);
