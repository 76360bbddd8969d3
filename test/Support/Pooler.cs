using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Postern.Support;

/// <summary>
/// Debian's PgBouncer in transaction mode in front of a test's PostgreSQL. It opens fewer connections than its clients,
/// so each transaction may run on another one.
/// </summary>
internal sealed class Pooler : IAsyncDisposable
{
    private const string Password = "a password of the tests";
    private readonly Process _process;
    private readonly string _folder;

    private Pooler(Process process, string folder, string connection) =>
        (_process, _folder, Connection) = (process, folder, connection);

    /// <summary>The connection string through it.</summary>
    public string Connection { get; }

    /// <param name="database">The connection string without it.</param>
    public static async Task<Pooler> StartAsync(string database)
    {
        var direct = new NpgsqlConnectionStringBuilder(database);
        var folder = Directory.CreateTempSubdirectory("postern-pooler-").FullName;
        var port = FreePort();
        var users = Path.Combine(folder, "users.txt");
        await File.WriteAllTextAsync(users, $"\"{direct.Username}\" \"{Password}\"\n");
        await File.WriteAllTextAsync(
            Path.Combine(folder, "pgbouncer.ini"),
            Template.Fill(
                "packaging/cluster/pgbouncer.ini",
                new Dictionary<string, string>
                {
                    ["HOST"] = direct.Host!,
                    ["DATABASE_PORT"] = $"{direct.Port}",
                    ["ADDRESS"] = "127.0.0.1",
                    ["PORT"] = $"{port}",
                    ["FILE"] = users,
                }
            )
        );
        var start = new ProcessStartInfo("pgbouncer", [Path.Combine(folder, "pgbouncer.ini")])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        if (Environment.UserName == "root")
        {
            // It refuses to run as root.
            start.ArgumentList.Insert(0, "-u");
            start.ArgumentList.Insert(1, "postgres");
            using var give = Process.Start("chown", ["-R", "postgres", folder]);
            await give.WaitForExitAsync();
        }
        var process = Process.Start(start)!;
        var log = new List<string>();
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        (direct.Port, direct.Password) = (port, Password);
        await WaitFor.TrueAsync(async () =>
        {
            if (process.HasExited)
                Assert.Fail("PgBouncer ended: " + string.Join('\n', log));
            try
            {
                using var socket = new TcpClient();
                await socket.ConnectAsync(IPAddress.Loopback, port);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        });
        return new Pooler(process, folder, direct.ToString());

        void Keep(string? line)
        {
            if (line is not null)
                lock (log)
                    log.Add(line);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
