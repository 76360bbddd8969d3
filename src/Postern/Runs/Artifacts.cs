using System.Buffers;
using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

/// <summary>
/// The artifacts of a run: a JSON object of at most <see cref="MaxBytes"/>. The first value of an immutable one stays.
/// A mutable one is replaced. A null changes nothing. The report's event names the artifacts that were not written.
/// </summary>
internal static class Artifacts
{
    public const int MaxBytes = 256 * 1024;

    public static Dictionary<string, JsonElement> Read(byte[]? body) =>
        body is null
            ? new Dictionary<string, JsonElement>(StringComparer.Ordinal)
            : JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(body, Wire.Json) ?? [];

    /// <summary>Returns null when the run's artifacts would be too large together.</summary>
    public static ArtifactUpdate? Merge(Workflow workflow, byte[]? before, JsonElement updates)
    {
        var artifacts = Read(before);
        var (kept, ignored) = (new List<string>(), new List<string>());
        var changed = false;
        foreach (var update in updates.EnumerateObject())
        {
            if (update.Value.ValueKind == JsonValueKind.Null)
                continue;
            if (
                workflow.ListsArtifacts
                && !workflow.Immutable.Contains(update.Name, StringComparer.Ordinal)
                && !workflow.Mutable.Contains(update.Name, StringComparer.Ordinal)
            )
            {
                ignored.Add(update.Name);
                continue;
            }
            if (artifacts.TryGetValue(update.Name, out var there))
            {
                if (JsonElement.DeepEquals(there, update.Value))
                    continue;
                if (workflow.Immutable.Contains(update.Name, StringComparer.Ordinal))
                {
                    kept.Add(update.Name);
                    continue;
                }
            }
            artifacts[update.Name] = update.Value;
            changed = true;
        }
        if (!changed)
            return new ArtifactUpdate(null, kept, ignored);
        var body = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(body, Wire.WriterOptions))
            JsonSerializer.Serialize(json, artifacts, Wire.Json);
        return body.WrittenCount > MaxBytes ? null : new ArtifactUpdate(body.WrittenSpan.ToArray(), kept, ignored);
    }
}
