using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// Reads the records of a request.
/// </summary>
internal static class RecordBatch
{
    public const int MaxRecords = 1000;
    public const int MaxPartId = 256;

    public static Checked<IReadOnlyList<NewRecord>> Read(JsonElement root, string channel, bool asUser, long now)
    {
        if (
            root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("records", out var list)
            || list.ValueKind != JsonValueKind.Array
        )
            return Wrong("records must be a list");
        if (list.GetArrayLength() is 0 or > MaxRecords)
            return Wrong($"records must have 1 to {MaxRecords} items");
        var batch = new List<NewRecord>(list.GetArrayLength());
        var parts = new HashSet<string>(StringComparer.Ordinal);
        foreach (var item in list.EnumerateArray())
        {
            var at = $"records[{batch.Count}]";
            if (item.ValueKind != JsonValueKind.Object)
                return Wrong($"{at} must be an object");
            var fields = new Fields(item);
            var (given, headers, partId) = fields.Read<AppendRecord>();
            if (fields.Refusal() is { } fault)
                return Wrong($"{at}.{fault.Message}");
            if (partId is not null && !parts.Add(partId))
                return Wrong($"{at}.partId stands twice in the batch");
            if (headers is { Count: > 0 })
            {
                if (given is { ValueKind: not JsonValueKind.String })
                    return Wrong($"{at}.data must be left out of a control record");
                batch.Add(NewRecord.OfControl(partId, [.. headers.Select(h => (string[])[h.Key, h.Value])]));
                continue;
            }
            if (!item.TryGetProperty("data", out var data))
                return Wrong($"{at}.data is required");
            // As it came: half of a character may stand at the end of one delta, and its other half begin the next.
            var json = System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(data).ToArray();
            var effect = channel == RecordStore.In ? InEffect.Read(data, asUser) : null;
            if (effect is { Problem: { } problem })
                return Wrong($"{at}.data {problem}");
            batch.Add(NewRecord.OfJson(json, partId ?? Id.New("rec", now), partId, effect));
        }
        return batch;
    }

    public static Refusal Wrong(string message) =>
        new(400, message, "invalid_body") { Extra = [("ok", false)], ShouldRetry = false };
}
