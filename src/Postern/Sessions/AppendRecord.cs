using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

internal sealed record AppendRecord(
    [Member("The record: any JSON. Left out of a control record.")] JsonElement? Data,
    [Member("Makes a control record: at most 32 names with texts of at most 4096 characters.")]
        IReadOnlyDictionary<string, string>? Headers,
    [Text("The same part again is one record.", 1, 256)] string? PartId
);
