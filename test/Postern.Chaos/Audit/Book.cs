using System.Text.Json;

namespace Postern.Chaos.Audit;

/// <summary>The ledger as the auditor reads it: the complete lines of the file.</summary>
internal sealed class Book(string file)
{
    private readonly List<JsonElement> _entries = [];
    private long _read;

    /// <summary>Returns the lines added since the last call.</summary>
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
