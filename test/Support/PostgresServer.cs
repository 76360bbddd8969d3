using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Postern.Support;

/// <summary>
/// A PostgreSQL of the tests' own, in a temporary folder, on a free port of loopback, one for each test process. Each
/// test gets a database of its own. On a machine without PostgreSQL the tests fail; they never pass silently.
/// </summary>
public sealed class PostgresServer : IDisposable
{
    private static readonly Lazy<PostgresServer> Shared = new(() => new PostgresServer());
    private static int _databases;
    private readonly string _folder;
    private readonly string _bin;
    private Process _process;

    private PostgresServer(PostgresServer? primary = null)
    {
        _bin =
            Directory
                .GetDirectories("/usr/lib/postgresql")
                .OrderDescending(StringComparer.Ordinal)
                .Select(d => Path.Combine(d, "bin"))
                .FirstOrDefault(d => File.Exists(Path.Combine(d, "initdb")))
            ?? throw new InvalidOperationException("PostgreSQL is not installed: apt-get install postgresql");
        _folder = Directory.CreateTempSubdirectory("postern-pg-").FullName;
        Port = FreePort();
        if (AsRoot)
            Run("chown", "postgres", _folder);
        var data = Path.Combine(_folder, "db");
        string[] client = ["-h", "127.0.0.1", "-p", primary?.Port.ToString() ?? "", "-U", "postern"];
        if (primary is not null)
            Run(Path.Combine(_bin, "pg_basebackup"), [.. client, "-D", data, "-R", "-c", "fast", "--no-sync"]);
        else
            Run(
                Path.Combine(_bin, "initdb"),
                ["-D", data, "-U", "postern", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]
            );
        _process = StartServer();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Stop();
        WaitUntilReady();
    }

    /// <summary>A server that one test may stop and start.</summary>
    public static PostgresServer Own() => new();

    /// <summary>A server that follows another, and refuses writes until it is promoted.</summary>
    public static PostgresServer StandbyOf(PostgresServer primary) => new(primary);

    /// <summary>From now on it accepts writes.</summary>
    public void Promote() => Run(Path.Combine(_bin, "pg_ctl"), "-D", Path.Combine(_folder, "db"), "-w", "promote");

    /// <summary>Freezes all its processes with their connections, or lets them go on.</summary>
    public void Freeze(bool stands)
    {
        var signal = stands ? "-STOP" : "-CONT";
        var first = File.ReadLines(Path.Combine(_folder, "db", "postmaster.pid")).First();
        Run("kill", signal, first);
        Run("pkill", signal, "-P", first);
        // The process that started it must be frozen too.
        if (!stands)
            Run("kill", signal, _process.Id.ToString());
    }

    /// <summary>What it has logged, in a file.</summary>
    public string LogFile => Path.Combine(_folder, "log", "postgres.log");

    /// <summary>As after a failure of the machine: nothing is finished, every connection is cut.</summary>
    public void Crash()
    {
        Run(Path.Combine(_bin, "pg_ctl"), "-D", Path.Combine(_folder, "db"), "-m", "immediate", "-w", "stop");
        _process.WaitForExit();
    }

    public void StartAgain()
    {
        _process = StartServer();
        WaitUntilReady();
    }

    public int Port { get; }

    /// <summary>The processor time of all its processes, including ended ones.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            var first = int.Parse(File.ReadLines(Path.Combine(_folder, "db", "postmaster.pid")).First());
            // Ticks of 10 ms. The first process includes its ended children.
            var ticks = Directory
                .GetDirectories("/proc")
                .Where(d => int.TryParse(Path.GetFileName(d), out _))
                .Select(StatOf)
                .Sum(f =>
                    f is null ? 0
                    : f.Value.Process == first ? f.Value.Own + f.Value.Ended
                    : f.Value.Parent == first ? f.Value.Own
                    : 0
                );
            return TimeSpan.FromMilliseconds(10 * ticks);
        }
    }

    /// <summary>The time of one process, in ticks; null when it has just ended.</summary>
    private static (int Process, int Parent, long Own, long Ended)? StatOf(string folder)
    {
        try
        {
            var text = File.ReadAllText(Path.Combine(folder, "stat"));
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return (
                int.Parse(Path.GetFileName(folder)),
                int.Parse(fields[1]),
                long.Parse(fields[11]) + long.Parse(fields[12]),
                long.Parse(fields[13]) + long.Parse(fields[14])
            );
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static bool AsRoot => Environment.UserName == "root";

    /// <summary>The connection string of a new, empty database.</summary>
    public static string NewDatabase() => Shared.Value.CreateDatabase();

    public string CreateDatabase()
    {
        var name = $"t{Interlocked.Increment(ref _databases)}";
        using var connection = new NpgsqlConnection(ConnectionString("postgres"));
        connection.Open();
        using var command = new NpgsqlCommand($"CREATE DATABASE {name}", connection);
        command.ExecuteNonQuery();
        return ConnectionString(name);
    }

    /// <summary>Writes a dump of a database of the shared server to a file, as an operator would.</summary>
    public static void Dump(string database, string file)
    {
        Run("pg_dump", [.. Shared.Value.Client(database), "--format=custom", "--file", file]);
    }

    /// <summary>Loads a dump into a database, in place of its content.</summary>
    public static void PutBack(string file, string database)
    {
        Run("pg_restore", [.. Shared.Value.Client(database), "--clean", "--if-exists", "--exit-on-error", file]);
    }

    private IEnumerable<string> Client(string database) =>
        [
            "-h",
            "127.0.0.1",
            "-p",
            Port.ToString(),
            "-U",
            "postern",
            "-d",
            new NpgsqlConnectionStringBuilder(database).Database!,
        ];

    private string ConnectionString(string database) =>
        $"Host=127.0.0.1;Port={Port};Username=postern;Database={database}";

    private Process StartServer() =>
        Start(
            Path.Combine(_bin, "postgres"),
            "-D",
            Path.Combine(_folder, "db"),
            "-p",
            Port.ToString(),
            "-k",
            _folder,
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "max_connections=300",
            "-c",
            "logging_collector=on",
            "-c",
            $"log_directory={_folder}/log",
            "-c",
            "log_filename=postgres.log",
            "-c",
            "log_rotation_age=0",
            "-c",
            "log_rotation_size=0"
        );

    private void WaitUntilReady()
    {
        var deadline = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using var connection = new NpgsqlConnection(ConnectionString("postgres") + ";Timeout=2;Pooling=false");
                connection.Open();
                return;
            }
            catch (NpgsqlException) when (deadline.Elapsed < TimeSpan.FromSeconds(30) && !_process.HasExited)
            {
                Thread.Sleep(50);
            }
        }
    }

    /// <summary>Ends a test's own server.</summary>
    public void Dispose() => Stop();

    /// <summary>
    /// Stops the shared server, if a test has used it. In a process that is killed, it stops with the process.
    /// </summary>
    public static void EndShared()
    {
        if (Shared.IsValueCreated)
            Shared.Value.Stop();
    }

    private void Stop()
    {
        if (!Directory.Exists(_folder))
            return;
        try
        {
            Crash();
        }
        catch (InvalidOperationException)
        {
            // It had gone already.
        }
        Directory.Delete(_folder, recursive: true);
    }

    public static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private static void Run(string program, params string[] args)
    {
        using var process = Start(program, args);
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} failed with {process.ExitCode}");
    }

    /// <summary>As the user postgres when the tests are root: the server refuses to run as root.</summary>
    private static Process Start(string program, params string[] args)
    {
        var start = new ProcessStartInfo
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        if (AsRoot && program.Contains("postgresql", StringComparison.Ordinal))
        {
            start.FileName = "runuser";
            foreach (var arg in (string[])["-u", "postgres", "--", program])
                start.ArgumentList.Add(arg);
        }
        else
            start.FileName = program;
        foreach (var arg in args)
            start.ArgumentList.Add(arg);
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }
}
