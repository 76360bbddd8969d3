using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Postern.Hosting;

namespace Postern.Bench;

/// <summary>The processes that are measured, and how one is started and asked.</summary>
internal sealed class Child : IAsyncDisposable
{
    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly TaskCompletionSource<string> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Child(string program, string arguments, Dictionary<string, string>? environment)
    {
        var start = new ProcessStartInfo("dotnet", $"\"{program}\" {arguments}") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? []) start.Environment[name] = value;
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
        get { lock (_lines) return string.Join('\n', _lines); }
    }

    public string Url { get; private set; } = "";

    /// <summary>As it was printed, by this version or an older one.</summary>
    public string RootKey => Regex.Match(Said, @"pst_root_\w+").Value;

    /// <param name="program">Another version of the server; null: this one.</param>
    public static async Task<Child> StartAsync(
        string arguments, Dictionary<string, string>? environment = null, string? program = null)
    {
        var child = new Child(program ?? typeof(Child).Assembly.Location, arguments, environment);
        // A large database is brought to this schema first.
        child.Url = await child._listening.Task.WaitAsync(TimeSpan.FromMinutes(15));
        return child;
    }

    /// <summary>Kibibytes of resident memory.</summary>
    public long ResidentKib() => long.Parse(File.ReadLines($"/proc/{_process.Id}/status").First(l => l.StartsWith("VmRSS", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);

    /// <summary>Ends it in order; what it said of itself at the end is then in <see cref="Find"/>.</summary>
    public async Task StopAsync()
    {
        using var kill = Process.Start("kill", $"-TERM {_process.Id}");
        await kill.WaitForExitAsync();
        await _process.WaitForExitAsync();
    }

    public string Find(string prefix)
    {
        lock (_lines) return _lines.First(l => l.StartsWith(prefix, StringComparison.Ordinal))[prefix.Length..];
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) await StopAsync();
        _process.Dispose();
    }

    private void Take(string? line)
    {
        if (line is null) return;
        lock (_lines) _lines.Add(line);
        if (line.StartsWith("listening on ", StringComparison.Ordinal)) _listening.TrySetResult(line["listening on ".Length..]);
    }
}

internal static class Children
{
    /// <summary>The server as it is, with its own count of commits listened to: at its end it says how many commands a batch held.</summary>
    public static async Task<int> ServeAsync(string[] args)
    {
        long commands = 0, batches = 0;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "postern.store.batch.size") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<int>((_, size, _, _) =>
        {
            Interlocked.Add(ref commands, size);
            Interlocked.Increment(ref batches);
        });
        listener.Start();
        var code = await ServeCommand.RunAsync(ServeOptions.From(args[0], "http://127.0.0.1:0", args.ElementAtOrDefault(1), true), CancellationToken.None);
        Console.WriteLine($"batch size  {(batches == 0 ? 0 : (double)commands / batches):0.0}");
        return code;
    }

    /// <summary>The limit: the same bytes from a bare endpoint of the same web server.</summary>
    public static async Task<int> BareAsync(string file)
    {
        var bytes = await File.ReadAllBytesAsync(file);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(k => k.AddServerHeader = false);
        await using var app = builder.Build();
        app.MapGet("/bytes", async http =>
        {
            http.Response.ContentType = "application/json; charset=utf-8";
            http.Response.ContentLength = bytes.Length;
            await http.Response.BodyWriter.WriteAsync(bytes);
        });
        // A body read and an answer: what a POST costs before anything is done with it.
        app.MapPost("/post", async http =>
        {
            while (true)
            {
                var read = await http.Request.BodyReader.ReadAsync();
                http.Request.BodyReader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) break;
            }
            http.Response.ContentLength = 12;
            await http.Response.BodyWriter.WriteAsync("{\"ok\":true }"u8.ToArray());
        });
        // An event stream that says nothing: what an open response costs by itself.
        app.MapGet("/idle", async http =>
        {
            http.Response.ContentType = "text/event-stream";
            await http.Response.Body.FlushAsync(http.RequestAborted);
            var gone = new TaskCompletionSource();
            await using var registration = http.RequestAborted.Register(gone.SetResult);
            await gone.Task;
        });
        await app.StartAsync();
        Console.WriteLine("listening on " + app.Urls.First());
        await app.WaitForShutdownAsync();
        return 0;
    }
}
