using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

internal sealed record RecordView(
    [Member("The record; an empty text for a control record.")] JsonElement Data,
    [Member("The record's part id; its number for a control record.")] string Id,
    [Member("The record's number in the channel.")] long SeqNum,
    [Member("The names and values of a control record.", MayBeAbsent = true)] IReadOnlyList<string[]>? Headers
);
