using System.Text.Json;

namespace Postern.Chaos.Audit;

internal static class EntryFields
{
    public static string Text(this JsonElement entry, string name) =>
        entry.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    public static long Number(this JsonElement entry, string name) => entry.GetProperty(name).GetInt64();
}
