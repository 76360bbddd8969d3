using System.Diagnostics;
using Npgsql;
using Postern.Support;

namespace Postern.Chaos;

/// <summary>
/// PostgreSQL as an operator would run it: three members under Patroni with synchronous replication, etcd to agree on
/// the primary, and HAProxy to connect to it. All are from Debian, in their own folder, on loopback.
/// </summary>
internal sealed class PatroniCluster : IAsyncDisposable
{
    private const int Members = 3;
    private const string SuperuserPassword = "simulation";
    private readonly string _folder;
    private readonly string _bin;
    private readonly int _etcdPort = PostgresServer.FreePort();
    private readonly int[] _ports = [.. Enumerable.Range(0, Members).Select(_ => PostgresServer.FreePort())];
    private readonly int[] _restPorts = [.. Enumerable.Range(0, Members).Select(_ => PostgresServer.FreePort())];
    private readonly Process?[] _patroni = new Process?[Members];
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(1) };
    private readonly List<Process> _others = [];

    private PatroniCluster(string folder)
    {
        _folder = folder;
        _bin = Directory
            .GetDirectories("/usr/lib/postgresql")
            .OrderDescending(StringComparer.Ordinal)
            .Select(d => Path.Combine(d, "bin"))
            .First(d => File.Exists(Path.Combine(d, "initdb")));
        Port = PostgresServer.FreePort();
    }

    /// <summary>The port that leads to the primary.</summary>
    public int Port { get; }

    public IEnumerable<string> LogFiles => Enumerable.Range(0, Members).Select(i => Path.Combine(_folder, $"m{i}.log"));

    public static async Task<PatroniCluster> StartAsync()
    {
        foreach (var program in (string[])["patroni", "etcd", "haproxy"])
            if (await Shell.RunAsync("which", program) != 0)
                throw new InvalidOperationException("apt-get install patroni etcd-server haproxy");
        var cluster = new PatroniCluster(Directory.CreateTempSubdirectory("postern-patroni-").FullName);
        try
        {
            await cluster.StartAllAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates the server's user and its database, as docs/scale.md says.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        await using var connection = new NpgsqlConnection(Superuser(seconds: 30));
        await connection.OpenAsync();
        foreach (
            var sql in (string[])
                [$"CREATE ROLE postern LOGIN PASSWORD '{SuperuserPassword}'", "CREATE DATABASE postern OWNER postern"]
        )
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync();
        }
        return ConnectionString("postern", "postern");
    }

    private string Superuser(int seconds) =>
        ConnectionString("postgres", "postgres") + $";Pooling=false;Command Timeout={seconds}";

    private string ConnectionString(string user, string database) =>
        $"Host=127.0.0.1;Port={Port};Username={user};Password={SuperuserPassword};Database={database};Timeout=5";

    /// <summary>Kills Patroni and PostgreSQL of the primary at once. Returns its number.</summary>
    public async Task<int> KillPrimaryAsync()
    {
        var primary = await PrimaryAsync();
        var postmaster = PostmasterOf(primary);
        _patroni[primary]!.Kill();
        await Shell.RunAsync("kill", "-KILL", postmaster);
        return primary;
    }

    /// <summary>Freezes every process of the primary.</summary>
    public async Task<int> FreezePrimaryAsync()
    {
        var primary = await PrimaryAsync();
        await SignalAsync(primary, "STOP");
        return primary;
    }

    /// <summary>Freezes only Patroni. Its PostgreSQL continues, while the others choose a new primary.</summary>
    public async Task<int> FreezePatroniAsync()
    {
        var primary = await PrimaryAsync();
        await Shell.RunAsync("kill", "-STOP", _patroni[primary]!.Id.ToString());
        return primary;
    }

    /// <summary>Makes another member the primary, as an operator would.</summary>
    public async Task<int> SwitchOverAsync()
    {
        var primary = await PrimaryAsync();
        await Shell.RunAsync("patronictl", "-c", ConfigurationOf(primary), "switchover", "--force");
        return primary;
    }

    /// <summary>Waits until another member accepts writes through HAProxy.</summary>
    public async Task OtherTakesWritesAsync(int than) =>
        await WaitFor.TrueAsync(
            async () => await TakesWritesAsync() is { } port && port != _ports[than],
            TimeSpan.FromSeconds(120),
            "a new primary"
        );

    /// <summary>Starts or unfreezes a member, and waits until all members follow the primary.</summary>
    public async Task HealAsync(int member)
    {
        if (_patroni[member]!.HasExited)
            StartMember(member);
        else
        {
            await SignalAsync(member, "CONT");
            await Shell.RunAsync("kill", "-CONT", _patroni[member]!.Id.ToString());
        }
        await AllFollowAsync();
    }

    public async ValueTask DisposeAsync()
    {
        for (var i = 0; i < Members; i++)
        {
            if (_patroni[i] is not { } patroni)
                continue;
            var postmaster = PostmasterOf(i);
            if (!patroni.HasExited)
                patroni.Kill();
            await Shell.RunAsync("kill", "-CONT", postmaster);
            await Shell.RunAsync("kill", "-KILL", postmaster);
            patroni.Dispose();
        }
        foreach (var process in _others)
        {
            process.Kill();
            process.Dispose();
        }
        _http.Dispose();
        for (var left = 20; Directory.Exists(_folder); left--)
        {
            try
            {
                Directory.Delete(_folder, recursive: true);
            }
            catch (IOException) when (left > 0)
            {
                // Its last processes are ending.
                await Task.Delay(100);
            }
        }
    }

    private async Task StartAllAsync()
    {
        for (var i = 0; i < Members; i++)
            await File.WriteAllTextAsync(ConfigurationOf(i), Configuration(i));
        await File.WriteAllTextAsync(Path.Combine(_folder, "haproxy.cfg"), HaproxyConfiguration());
        await Shell.RunAsync("chown", "-R", "postgres", _folder);
        var peers = PostgresServer.FreePort();
        _others.Add(
            Start(
                "etcd",
                "--data-dir",
                Path.Combine(_folder, "etcd"),
                "--listen-client-urls",
                $"http://127.0.0.1:{_etcdPort}",
                "--advertise-client-urls",
                $"http://127.0.0.1:{_etcdPort}",
                "--listen-peer-urls",
                $"http://127.0.0.1:{peers}",
                "--initial-advertise-peer-urls",
                $"http://127.0.0.1:{peers}",
                "--initial-cluster",
                $"default=http://127.0.0.1:{peers}",
                "--log-level",
                "error"
            )
        );
        for (var i = 0; i < Members; i++)
            StartMember(i);
        _others.Add(Start("haproxy", "-db", "-f", Path.Combine(_folder, "haproxy.cfg")));
        await AllFollowAsync();
    }

    private Task AllFollowAsync() =>
        WaitFor.TrueAsync(
            async () =>
            {
                var (primaries, replicas) = (0, 0);
                foreach (var port in _restPorts)
                {
                    primaries += await SaysAsync(port, "primary") ? 1 : 0;
                    replicas += await SaysAsync(port, "replica?lag=1MB") ? 1 : 0;
                }
                return (primaries, replicas) == (1, Members - 1) && await TakesWritesAsync() is not null;
            },
            TimeSpan.FromSeconds(180),
            "a primary with two followers"
        );

    private void StartMember(int i)
    {
        _patroni[i]?.Dispose();
        _patroni[i] = Start("patroni", ConfigurationOf(i));
    }

    /// <summary>Returns the port of the member that accepted a write; null when none did.</summary>
    private async Task<int?> TakesWritesAsync()
    {
        try
        {
            await using var connection = new NpgsqlConnection(Superuser(seconds: 2));
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand(
                "CREATE TABLE IF NOT EXISTS looked (at timestamptz); INSERT INTO looked SELECT now(); "
                    + "SELECT inet_server_port()",
                connection
            );
            return (int?)await command.ExecuteScalarAsync();
        }
        catch (Exception fault) when (fault is NpgsqlException or TimeoutException)
        {
            return null;
        }
    }

    private async Task<int> PrimaryAsync()
    {
        for (var i = 0; i < Members; i++)
            if (await SaysAsync(_restPorts[i], "primary"))
                return i;
        throw new InvalidOperationException("No member is the primary.");
    }

    private async Task<bool> SaysAsync(int port, string what)
    {
        try
        {
            using var answer = await _http.GetAsync($"http://127.0.0.1:{port}/{what}");
            return answer.IsSuccessStatusCode;
        }
        catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }

    private async Task SignalAsync(int member, string signal)
    {
        await Shell.RunAsync("kill", "-" + signal, _patroni[member]!.Id.ToString());
        await Shell.RunAsync("kill", "-" + signal, PostmasterOf(member));
        await Shell.RunAsync("pkill", "-" + signal, "-P", PostmasterOf(member));
    }

    private string PostmasterOf(int member)
    {
        var file = Path.Combine(_folder, $"m{member}", "postmaster.pid");
        return File.Exists(file) ? File.ReadLines(file).First() : "0";
    }

    private string ConfigurationOf(int member) => Path.Combine(_folder, $"m{member}.yml");

    private string Configuration(int i) =>
        Template.Fill(
            "packaging/cluster/patroni.yml",
            new Dictionary<string, string>
            {
                ["NAME"] = $"m{i}",
                ["ADDRESS"] = "127.0.0.1",
                ["NETWORK"] = "127.0.0.1/32",
                ["PORT"] = $"{_ports[i]}",
                ["REST_PORT"] = $"{_restPorts[i]}",
                ["ETCD"] = $"127.0.0.1:{_etcdPort}",
                ["DATA"] = $"{_folder}/m{i}",
                ["BIN"] = _bin,
                ["SUPERUSER_PASSWORD"] = SuperuserPassword,
                ["REPLICATION_PASSWORD"] = "the password of the followers",
                ["SOCKETS"] = _folder,
                ["LOGS"] = _folder,
                ["WATCHDOG"] = "'off'",
            }
        );

    private string HaproxyConfiguration() =>
        Template.Fill(
            "packaging/cluster/haproxy.cfg",
            new Dictionary<string, string>
            {
                ["ADDRESS"] = "127.0.0.1",
                ["PORT"] = $"{Port}",
                ["SERVERS"] = string.Join("\n  ", _ports.Zip(_restPorts, ServerOf)),
            }
        );

    private static string ServerOf(int port, int restPort) => $"server m{port} 127.0.0.1:{port} check port {restPort}";

    /// <summary>Starts a program, as the user postgres if this is root.</summary>
    private static Process Start(string program, params string[] arguments)
    {
        string[] before =
            Environment.UserName == "root" ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];
        string[] all = [.. before, program, .. arguments];
        var start = new ProcessStartInfo(all[0], all[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        start.Environment["HOME"] = "/tmp";
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }
}
