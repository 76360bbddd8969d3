using Npgsql;
using Postern.Support;

namespace Postern.Chaos;

/// <summary>One real process of the server, and the proxies before and behind it.</summary>
internal sealed class Node : IAsyncDisposable
{
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly string _arguments;
    private readonly Dictionary<string, string> _environment;
    private volatile ServerProcess? _process;
    private volatile bool _isKilled;

    private Node(int number, string folder, int port, CuttingProxy front, CuttingProxy? back, string? database)
    {
        Number = number;
        Folder = Path.Combine(folder, "data" + number);
        LogFile = Path.Combine(folder, $"node{number}.log");
        ClockFile = Path.Combine(folder, $"clock{number}");
        Port = port;
        Front = front;
        Back = back;
        File.WriteAllText(ClockFile, "+0");
        var behind = database is null ? "" : $" --database \"{database}\"";
        _arguments = $"--data \"{Folder}\" --urls http://127.0.0.1:{port} --dev{behind}";
        _environment = new(Cluster.Settings) { ["POSTERN_PublicUrl"] = FrontUrl };
        if (FakeClock is null)
            return;
        _environment["LD_PRELOAD"] = FakeClock;
        _environment["FAKETIME_TIMESTAMP_FILE"] = ClockFile;
        _environment["FAKETIME_CACHE_DURATION"] = "1";
        _environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1";
    }

    public int Number { get; }
    public string Folder { get; }
    public string LogFile { get; }
    public string ClockFile { get; }
    public int Port { get; }
    public CuttingProxy Front { get; }
    public CuttingProxy? Back { get; }
    public string FrontUrl => $"http://127.0.0.1:{Front.Port}";
    public string Url => $"http://127.0.0.1:{Port}";
    public string RootKey => _process!.RootKey;
    public int Restarts { get; private set; }
    public bool Lives => _process is { HasExited: false };
    public int ProcessId => _process!.Id;

    /// <summary>How often the process had ended although nobody had killed it.</summary>
    public int Deaths { get; private set; }

    /// <summary>Debian's libfaketime; null: the clock cannot be stepped here.</summary>
    public static string? FakeClock { get; } =
        Environment.GetEnvironmentVariable("CHAOS_NO_CLOCK") is null
            ? new[] { "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64" }
                .Select(d => d + "/faketime/libfaketime.so.1")
                .FirstOrDefault(File.Exists)
            : null;

    public static async Task<Node> MakeAsync(
        int number,
        string folder,
        Func<CuttingProxy, string>? databaseBehind,
        int databasePort
    )
    {
        var port = PostgresServer.FreePort();
        var back = databaseBehind is null ? null : await CuttingProxy.StartAsync(databasePort);
        return new(
            number,
            folder,
            port,
            await CuttingProxy.StartAsync(port),
            back,
            back is null ? null : databaseBehind!(back)
        );
    }

    /// <summary>Starts it if it is not running. Tries again while its database is unreachable.</summary>
    public async Task StartAsync(TimeSpan patience)
    {
        await _one.WaitAsync();
        try
        {
            var until = DateTime.UtcNow + patience;
            while (!Lives)
            {
                try
                {
                    // Meanwhile others ask whether it lives.
                    if (Interlocked.Exchange(ref _process, null) is { } dead)
                    {
                        if (!_isKilled)
                            Deaths++;
                        await dead.DisposeAsync();
                    }
                    _isKilled = false;
                    _process = await ServerProcess.StartAsync(_arguments, _environment, LogFile);
                    Restarts++;
                }
                catch (Exception fault) when (fault is InvalidOperationException or TimeoutException)
                {
                    if (DateTime.UtcNow > until)
                        throw;
                    await Task.Delay(300);
                }
            }
        }
        finally
        {
            _one.Release();
        }
    }

    public async Task KillAsync()
    {
        await _one.WaitAsync();
        try
        {
            if (!Lives)
                return;
            _isKilled = true;
            await _process!.KillAsync();
        }
        finally
        {
            _one.Release();
        }
    }

    public Task SignalAsync(string signal) => Shell.RunAsync("kill", "-" + signal, ProcessId.ToString());

    /// <summary>Sets a soft limit of the running process, which can be raised again.</summary>
    public Task SetTimeLimitAsync(string what, string soft) =>
        Lives ? Shell.RunAsync("prlimit", "--pid", ProcessId.ToString(), $"--{what}={soft}:") : Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
        await Front.DisposeAsync();
        if (Back is not null)
            await Back.DisposeAsync();
        _one.Dispose();
    }
}
