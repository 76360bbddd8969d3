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
        if (ListIn(root) is not { } list)
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
            var asked = fields.Read<AppendRecord>();
            if (fields.Refusal() is { } fault)
                return Wrong($"{at}.{fault.Message}");
            if (asked.PartId is { } part && !parts.Add(part))
                return Wrong($"{at}.partId stands twice in the batch");
            var read = asked.Headers is { Count: > 0 } headers
                ? ControlOf(asked, headers, at)
                : PlainOf(item, asked, at, channel == RecordStore.In, asUser, now);
            if (!read.Try(out var record, out var wrong))
                return wrong;
            batch.Add(record);
        }
        return batch;
    }

    private static JsonElement? ListIn(JsonElement root) =>
        root.ValueKind == JsonValueKind.Object
        && root.TryGetProperty("records", out var list)
        && list.ValueKind == JsonValueKind.Array
            ? list
            : null;

    private static Checked<NewRecord> ControlOf(
        AppendRecord asked,
        IReadOnlyDictionary<string, string> headers,
        string at
    ) =>
        asked.Data is { ValueKind: not JsonValueKind.String }
            ? Wrong($"{at}.data must be left out of a control record")
            : NewRecord.OfControl(asked.PartId, [.. headers.Select(h => (string[])[h.Key, h.Value])]);

    /// <param name="item">The record as it came: data that is null is data.</param>
    /// <param name="asked">The same, read.</param>
    /// <param name="at">Where it stands.</param>
    /// <param name="isIn">Whether it is for the inbox, where it means something.</param>
    /// <param name="asUser">Whoever sends it speaks as the user.</param>
    /// <param name="now">Microseconds.</param>
    private static Checked<NewRecord> PlainOf(
        JsonElement item,
        AppendRecord asked,
        string at,
        bool isIn,
        bool asUser,
        long now
    )
    {
        if (!item.TryGetProperty("data", out var data))
            return Wrong($"{at}.data is required");
        // Unchanged: one delta may end with half a character whose other half begins the next delta.
        var json = System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(data).ToArray();
        var effect = isIn ? InEffect.Read(data, asUser) : null;
        return effect is { Problem: { } problem }
            ? Wrong($"{at}.data {problem}")
            : NewRecord.OfJson(json, asked.PartId ?? Id.New("rec", now), asked.PartId, effect);
    }

    public static Refusal Wrong(string message) =>
        new(400, message, "invalid_body") { Extra = [("ok", false)], ShouldRetry = false };
}
