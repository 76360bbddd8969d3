using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;

namespace Postern.Support;

/// <summary>
/// The real program in a process of its own, as a person starts it; it is killed at the end of the test.
/// </summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private const int FirstLines = 200;
    private readonly Process _process;
    private readonly TaskCompletionSource<string> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> _out = [];
    private readonly StringBuilder _faults = new();
    private readonly StreamWriter? _log;

    private ServerProcess(string arguments, IReadOnlyDictionary<string, string>? environment, string? log)
    {
        if (log is not null)
            _log = new StreamWriter(log, append: true) { AutoFlush = true };
        _process = PosternCommand.Start(arguments, environment);
        _process.OutputDataReceived += (_, line) => Take(line.Data);
        _process.ErrorDataReceived += (_, line) => Take(line.Data);
        _process.Exited += (_, _) =>
            _listening.TrySetException(new InvalidOperationException("The server ended: " + Output));
        _process.EnableRaisingEvents = true;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public string Url { get; private set; } = "";

    public int Id => _process.Id;

    public string Output
    {
        get
        {
            lock (_out)
                return string.Join('\n', _out);
        }
    }

    /// <summary>
    /// Waits until it has printed something. Log and output use separate ways, so either may come first.
    /// </summary>
    public Task SaysAsync(string words) =>
        WaitFor.TrueAsync(() => Task.FromResult(Output.Contains(words, StringComparison.Ordinal)), what: words);

    /// <summary>The root key that the first start printed.</summary>
    public string RootKey =>
        Output.Split('\n').First(l => l.Contains(" KEY=pst_root_", StringComparison.Ordinal)).Split("KEY=")[1];

    public bool HasExited => _process.HasExited;

    /// <summary>
    /// Starts it and waits for the line with its address. With a log, its lines are appended to that file, and only the
    /// first ones are kept here.
    /// </summary>
    public static async Task<ServerProcess> StartAsync(
        string arguments,
        IReadOnlyDictionary<string, string>? environment = null,
        string? log = null,
        string command = "serve"
    )
    {
        var server = new ServerProcess($"{command} {arguments}", environment, log);
        try
        {
            server.Url = await server._listening.Task.WaitAsync(TimeSpan.FromSeconds(30));
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public HttpClient Client(string key)
    {
        var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 500 })
        {
            BaseAddress = new Uri(Url),
            Timeout = TimeSpan.FromSeconds(30),
        };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Sends SIGTERM and returns the exit code.</summary>
    public async Task<int> TerminateAsync()
    {
        using var kill = Process.Start("kill", $"-TERM {_process.Id}");
        await kill.WaitForExitAsync();
        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
        lock (_out)
        {
            _log?.Dispose();
            LoopFaults.None(_faults.ToString());
        }
    }

    private void Take(string? line)
    {
        if (line is null)
            return;
        lock (_out)
        {
            if (_log is null || _out.Count < FirstLines)
                _out.Add(line);
            // The fault itself stands in the lines behind it.
            if (_faults.Length > 0 || LoopFaults.IsOne(line))
                _faults.AppendLine(line);
            if (_log?.BaseStream.CanWrite == true)
                _log.WriteLine(line);
        }
        if (line.StartsWith("listening on ", StringComparison.Ordinal))
            _listening.TrySetResult(line["listening on ".Length..]);
        if (line.StartsWith("listening nowhere", StringComparison.Ordinal))
            _listening.TrySetResult("");
    }
}
