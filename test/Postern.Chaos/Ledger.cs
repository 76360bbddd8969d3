using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Postern.Chaos;

/// <summary>
/// What the generator has learnt, as JSON lines in a file: each acknowledged request, each received piece of a stream,
/// each received delivery, each injected fault. The auditor knows nothing else of the generator.
/// </summary>
internal sealed class Ledger(string file) : IDisposable
{
    private readonly StreamWriter _lines = new(file, append: true);
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Lock _one = new();

    public string File => file;

    /// <summary>Milliseconds since the beginning, by a clock that no fault touches.</summary>
    public long Now => _clock.ElapsedMilliseconds;

    public int Acknowledged { get; private set; }

    /// <summary>Something that the server has acknowledged.</summary>
    public void Acknowledge(string kind, object what)
    {
        Write(kind, what);
        lock (_one)
            Acknowledged++;
    }

    public void Write(string kind, object what)
    {
        var line = JsonSerializer.SerializeToNode(what)!.AsObject();
        line["kind"] = kind;
        lock (_one)
        {
            line["at"] = Now;
            _lines.WriteLine(line.ToJsonString());
        }
    }

    public void Flush()
    {
        lock (_one)
            _lines.Flush();
    }

    public void Dispose()
    {
        lock (_one)
            _lines.Dispose();
    }
}
