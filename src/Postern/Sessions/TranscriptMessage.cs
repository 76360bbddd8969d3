using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

internal sealed record TranscriptMessage(
    [Member("The message's id.")] string Id,
    [Member("Who speaks.")] string Role,
    [Chosen("Its blocks.", "array")] JsonElement Content,
    [Member("When it was committed: milliseconds since 1970.")] long Timestamp,
    [Member("The run that made it.", MayBeAbsent = true)] string? RunId,
    [Member("Its number in the transcript, from 1.")] long Seq
);
