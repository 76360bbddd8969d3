using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Postern.Bench;

/// <summary>The processes that are measured, and how one is started and asked.</summary>
internal sealed class Child : IAsyncDisposable
{
    private readonly Process _process;
    private readonly List<string> _lines = [];
    private (string Prefix, TaskCompletionSource<string> Said)? _asked;
    private readonly TaskCompletionSource<string> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Child(string program, string arguments, Dictionary<string, string>? environment)
    {
        var start = new ProcessStartInfo("dotnet", $"\"{program}\" {arguments}")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment ?? [])
            start.Environment[name] = value;
        Started = Stopwatch.StartNew();
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.Exited += (_, _) => _listening.TrySetException(new InvalidOperationException("It ended: " + Said));
        _process.Start();
        _process.OutputDataReceived += (_, line) => Take(line.Data);
        _process.ErrorDataReceived += (_, line) => Take(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public Stopwatch Started { get; }

    private string Said
    {
        get
        {
            lock (_lines)
                return string.Join('\n', _lines);
        }
    }

    public string Url { get; private set; } = "";

    /// <summary>As it was printed, by this version or an older one.</summary>
    public string RootKey => Regex.Match(Said, @"pst_root_\w+").Value;

    /// <param name="program">Another version of the server; null: this one.</param>
    public static async Task<Child> StartAsync(
        string arguments,
        Dictionary<string, string>? environment = null,
        string? program = null
    )
    {
        var child = new Child(program ?? typeof(Child).Assembly.Location, arguments, environment);
        // A large database is brought to this schema first.
        child.Url = await child._listening.Task.WaitAsync(TimeSpan.FromMinutes(15));
        return child;
    }

    /// <summary>Kibibytes of resident memory after a collection: what is held, without garbage.</summary>
    public async Task<long> HeldKibAsync()
    {
        await AskAsync("collected", "CONT");
        return ResidentKib();
    }

    /// <summary>Kibibytes of resident memory.</summary>
    public long ResidentKib() =>
        long.Parse(
            File.ReadLines($"/proc/{_process.Id}/status")
                .First(l => l.StartsWith("VmRSS", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]
        );

    /// <summary>Processor time that it has used.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>What it says now when it is asked for a line with this beginning.</summary>
    public async Task<string> AskAsync(string prefix, string signalled = "WINCH")
    {
        var said = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lines)
            _asked = (prefix, said);
        using var signal = Process.Start("kill", $"-{signalled} {_process.Id}");
        await signal.WaitForExitAsync();
        return await said.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    /// <summary>Ends it in order; what it said of itself at the end is then in <see cref="Find"/>.</summary>
    public async Task StopAsync()
    {
        using var kill = Process.Start("kill", $"-TERM {_process.Id}");
        await kill.WaitForExitAsync();
        await _process.WaitForExitAsync();
    }

    public string Find(string prefix)
    {
        lock (_lines)
            return _lines.First(l => l.StartsWith(prefix, StringComparison.Ordinal))[prefix.Length..];
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await StopAsync();
        _process.Dispose();
    }

    private void Take(string? line)
    {
        if (line is null)
            return;
        lock (_lines)
        {
            _lines.Add(line);
            if (_asked is var (prefix, said) && line.StartsWith(prefix, StringComparison.Ordinal))
                said.TrySetResult(line[prefix.Length..]);
        }
        if (line.StartsWith("listening on ", StringComparison.Ordinal))
            _listening.TrySetResult(line["listening on ".Length..]);
    }
}
