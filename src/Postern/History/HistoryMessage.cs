using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.History;

/// <summary>A message in the form of <see cref="MessageJson"/>.</summary>
internal sealed record HistoryMessage(
    [Member("Who speaks.")] string Role,
    [Chosen("Its blocks. A text over 8000 characters is cut, unless full=1 asks for all of it.", "array")]
        JsonElement Content,
    [Member("When it was committed: milliseconds since 1970.")] long Timestamp,
    [Member("The run that made it.", MayBeAbsent = true)] string? RunId,
    [Member("Where it stands in the transcript.")] [property: JsonPropertyName("__openclaw")] HistoryMark Mark
);
