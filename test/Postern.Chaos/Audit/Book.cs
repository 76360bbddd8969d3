using System.Text.Json;

namespace Postern.Chaos.Audit;

/// <summary>The ledger as the auditor reads it: the lines of the file, as far as they are whole.</summary>
internal sealed class Book(string file)
{
    private readonly List<JsonElement> _entries = [];
    private long _read;

    /// <summary>What was added since the last look.</summary>
    public List<JsonElement> ReadOn()
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        stream.Position = _read;
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        var bytes = memory.GetBuffer().AsSpan(0, (int)memory.Length);
        var whole = bytes.LastIndexOf((byte)'\n') + 1;
        var added = new List<JsonElement>();
        foreach (var range in bytes[..whole].Split((byte)'\n'))
            if (bytes[range].Length > 0)
                added.Add(JsonSerializer.Deserialize<JsonElement>(bytes[range]));
        _read += whole;
        _entries.AddRange(added);
        return added;
    }

    public IEnumerable<JsonElement> Of(string kind) => _entries.Where(e => e.Text("kind") == kind);
}
