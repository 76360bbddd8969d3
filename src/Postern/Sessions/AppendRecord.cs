using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

internal sealed record AppendRecord(
    [AnyJson("The record: any JSON. Left out of a control record.", IsRaw = true)] JsonElement? Data,
    [Map("Makes a control record.", 32, MaxLength = 4096)] IReadOnlyDictionary<string, string>? Headers,
    [Text("The same part again is one record.", 1, RecordBatch.MaxPartId)] string? PartId
);
