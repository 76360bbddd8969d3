using System.Diagnostics;
using System.Net.Sockets;

namespace Postern.Support;

/// <summary>
/// The proxies that people put in front of a server, as Debian packages them: nginx, haproxy, tinyproxy. Each has a
/// configuration of the test, in a folder of its own.
/// </summary>
internal sealed class FrontServer : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _folder;

    private FrontServer(Process process, string folder) => (_process, _folder) = (process, folder);

    /// <summary>nginx, which passes everything to a port of loopback.</summary>
    /// <param name="port">Where it listens.</param>
    /// <param name="target">What it passes on to.</param>
    /// <param name="more">Beside <c>proxy_pass</c>.</param>
    public static Task<FrontServer> NginxAsync(int port, int target, string more = "") =>
        StartAsync(
            port,
            folder =>
                (
                    "/usr/sbin/nginx",
                    "nginx.conf",
                    $$"""
                    daemon off; pid {{folder}}/pid; error_log {{folder}}/error.log;
                    events { }
                    http {
                      access_log off;
                      client_body_temp_path {{folder}}/body; proxy_temp_path {{folder}}/proxy;
                      fastcgi_temp_path {{folder}}/fastcgi; uwsgi_temp_path {{folder}}/uwsgi;
                      scgi_temp_path {{folder}}/scgi;
                      server {
                        listen 127.0.0.1:{{port}};
                        location / { proxy_pass http://127.0.0.1:{{target}}; {{more}} }
                      }
                    }
                    """,
                    ["-p", folder, "-e", Path.Combine(folder, "error.log"), "-c", Path.Combine(folder, "nginx.conf")]
                )
        );

    /// <summary>The lines that the documents give to operators with nginx in front of a relay.</summary>
    public const string NginxUpgrade =
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;";

    /// <summary>haproxy with the defaults of Debian's own configuration.</summary>
    /// <param name="port">Where it listens.</param>
    /// <param name="targets">What it passes on to, in turn; whoever is not ready is left out.</param>
    /// <param name="bind">More of how it listens.</param>
    /// <param name="more">More of the defaults.</param>
    public static Task<FrontServer> HaproxyAsync(int port, int[] targets, string bind = "", string more = "") =>
        StartAsync(
            port,
            _ =>
                (
                    "/usr/sbin/haproxy",
                    "haproxy.cfg",
                    $"""
                    {DebiansDefaults()}
                    {more}
                    frontend all
                      bind *:{port} {bind}
                      default_backend nodes
                    backend nodes
                      option httpchk GET /readyz
                      default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
                    {string.Join(
                        '\n',
                        targets.Select((t, i) => $"  server n{i} 127.0.0.1:{t}{(targets.Length > 1 ? " check" : "")}")
                    )}

                    """,
                    ["-db", "-f", "haproxy.cfg"]
                )
        );

    /// <summary>tinyproxy: a proxy that connects (CONNECT) to the named address.</summary>
    public static Task<FrontServer> ConnectProxyAsync(int port) =>
        StartAsync(
            port,
            folder =>
                (
                    "/usr/bin/tinyproxy",
                    "tinyproxy.conf",
                    $"Port {port}\nTimeout 600\nLogFile \"{folder}/log\"\nLogLevel Connect\n",
                    ["-d", "-c", "tinyproxy.conf"]
                )
        );

    /// <summary>Returns what it has written to a file of its folder.</summary>
    public string Log(string name) => File.ReadAllText(Path.Combine(_folder, name));

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string DebiansDefaults()
    {
        var lines = File.ReadAllLines("/etc/haproxy/haproxy.cfg");
        return string.Join(
            '\n',
            lines
                .SkipWhile(l => !l.StartsWith("defaults", StringComparison.Ordinal))
                .TakeWhile((l, i) => i == 0 || l.Length == 0 || char.IsWhiteSpace(l[0]))
        );
    }

    private static async Task<FrontServer> StartAsync(
        int port,
        Func<string, (string Program, string File, string Config, string[] Arguments)> make
    )
    {
        var folder = Directory.CreateTempSubdirectory("postern-front-").FullName;
        var (program, file, config, arguments) = make(folder);
        if (!File.Exists(program))
            throw new InvalidOperationException($"{program} is missing: apt-get install {Path.GetFileName(program)}");
        await File.WriteAllTextAsync(Path.Combine(folder, file), config);
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder };
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        var process = Process.Start(start)!;
        var said = Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        var front = new FrontServer(process, folder);
        await WaitFor.TrueAsync(
            async () =>
            {
                if (process.HasExited)
                    throw new InvalidOperationException($"{program} ended: {string.Join('\n', await said)}");
                try
                {
                    using var client = new TcpClient();
                    await client.ConnectAsync("127.0.0.1", port);
                    return true;
                }
                catch (SocketException)
                {
                    return false;
                }
            },
            what: $"{program} listens on {port}"
        );
        return front;
    }
}
