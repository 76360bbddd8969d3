using System.Diagnostics;
using Npgsql;
using Postern.Support;

namespace Postern.Chaos;

/// <summary>
/// PostgreSQL as an operator would run it: three members under Patroni with synchronous replication, etcd to agree on
/// who is the primary, and HAProxy that sends connections to it. All from Debian, in a folder of its own, on loopback.
/// </summary>
internal sealed class PatroniCluster : IAsyncDisposable
{
    private const int Members = 3;
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

    /// <summary>Leads to the primary.</summary>
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

    public string ConnectionString(string database) =>
        $"Host=127.0.0.1;Port={Port};Username=postern;Database={database};Timeout=5";

    public async Task<string> CreateDatabaseAsync()
    {
        await using var connection = new NpgsqlConnection(ConnectionString("postgres") + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("CREATE DATABASE chaos", connection);
        await command.ExecuteNonQueryAsync();
        return ConnectionString("chaos");
    }

    /// <summary>The primary's machine fails: Patroni and PostgreSQL are gone at once. Returns its number.</summary>
    public async Task<int> KillPrimaryAsync()
    {
        var primary = await PrimaryAsync();
        var postmaster = PostmasterOf(primary);
        _patroni[primary]!.Kill();
        await Shell.RunAsync("kill", "-KILL", postmaster);
        return primary;
    }

    /// <summary>The machine of the primary stands still: every process of it.</summary>
    public async Task<int> FreezePrimaryAsync()
    {
        var primary = await PrimaryAsync();
        await SignalAsync(primary, "STOP");
        return primary;
    }

    /// <summary>Patroni alone stands still: its PostgreSQL goes on, while the others choose a new primary.</summary>
    public async Task<int> FreezePatroniAsync()
    {
        var primary = await PrimaryAsync();
        await Shell.RunAsync("kill", "-STOP", _patroni[primary]!.Id.ToString());
        return primary;
    }

    /// <summary>An operator hands the primary's part to another member.</summary>
    public async Task<int> SwitchOverAsync()
    {
        var primary = await PrimaryAsync();
        await Shell.RunAsync("patronictl", "-c", ConfigurationOf(primary), "switchover", "--force");
        return primary;
    }

    /// <summary>Waits until another member than that one takes writes, through HAProxy.</summary>
    public async Task OtherTakesWritesAsync(int than) =>
        await WaitFor.TrueAsync(
            async () => await TakesWritesAsync() is { } port && port != _ports[than],
            TimeSpan.FromSeconds(120),
            "a new primary"
        );

    /// <summary>Starts a member again, or lets it go on, and waits until all of them follow the primary.</summary>
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
                // Its last processes are going.
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

    /// <summary>The port of the member that a write went to; null when none takes it.</summary>
    private async Task<int?> TakesWritesAsync()
    {
        try
        {
            await using var connection = new NpgsqlConnection(
                ConnectionString("postgres") + ";Pooling=false;Command Timeout=2"
            );
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
        $$"""
            scope: postern
            name: m{{i}}
            restapi:
              listen: 127.0.0.1:{{_restPorts[i]}}
              connect_address: 127.0.0.1:{{_restPorts[i]}}
            etcd3:
              host: 127.0.0.1:{{_etcdPort}}
            bootstrap:
              dcs:
                ttl: 20
                loop_wait: 1
                retry_timeout: 3
                maximum_lag_on_failover: 1048576
                primary_start_timeout: 0
                synchronous_mode: true
                synchronous_mode_strict: true
                postgresql:
                  use_pg_rewind: true
                  use_slots: true
                  parameters:
                    max_connections: 150
                    wal_keep_size: 256MB
              initdb:
                - encoding: UTF8
                - locale: C
                - data-checksums
              pg_hba:
                - host all all 127.0.0.1/32 trust
                - host replication all 127.0.0.1/32 trust
            postgresql:
              listen: 127.0.0.1:{{_ports[i]}}
              connect_address: 127.0.0.1:{{_ports[i]}}
              data_dir: {{_folder}}/m{{i}}
              bin_dir: {{_bin}}
              pgpass: {{_folder}}/pgpass{{i}}
              authentication:
                superuser: {username: postern}
                replication: {username: postern}
                rewind: {username: postern}
              parameters:
                unix_socket_directories: {{_folder}}
                logging_collector: 'on'
                log_directory: {{_folder}}
                log_filename: m{{i}}.log
                log_rotation_age: 0
                log_rotation_size: 0
            watchdog:
              mode: 'off'
            """;

    private string HaproxyConfiguration() =>
        $"""
            defaults
              mode tcp
              timeout connect 2s
              timeout client 1h
              timeout server 1h
              timeout check 1s
            listen primary
              bind 127.0.0.1:{Port}
              maxconn 500
              option httpchk OPTIONS /primary
              http-check expect status 200
              default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
            {string.Join('\n', _ports.Zip(_restPorts, ServerOf))}

            """;

    private static string ServerOf(int port, int restPort) =>
        $"  server m{port} 127.0.0.1:{port} check port {restPort}";

    /// <summary>As the user postgres when this is root. The process is the program's own.</summary>
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
