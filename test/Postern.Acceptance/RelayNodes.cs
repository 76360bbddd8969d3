using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Two nodes of a relay behind haproxy, and two of a server that joined it: real processes, each side on a PostgreSQL
/// database of its own.
/// </summary>
internal sealed class RelayNodes : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-nodes-").FullName;
    private readonly List<ServerProcess> _stopped = [];
    private readonly List<ServerProcess> _planes = [];
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(70) };
    private FrontServer _front = null!;
    private string _url = "";
    private string _rootKey = "";
    private string _target = "";

    public List<ServerProcess> Relays { get; } = [];

    public static async Task<RelayNodes> StartAsync()
    {
        var nodes = new RelayNodes();
        await nodes.StartAllAsync();
        return nodes;
    }

    /// <summary>Calls the trigger until the server itself has answered.</summary>
    public async Task HookAsync(string what, TimeSpan patience)
    {
        var body = JsonSerializer.Serialize(new { what });
        string? receipt = null;
        await WaitFor.TrueAsync(
            async () =>
            {
                try
                {
                    if (receipt is not null)
                        return (await _http.GetStringAsync(receipt + "?wait=5")).Contains("\"answered\"");
                    using var content = new StringContent(body, Encoding.UTF8, "application/json");
                    using var answer = await _http.PostAsync(_target, content);
                    if (answer.StatusCode == HttpStatusCode.Accepted)
                        receipt = answer.Headers.Location!.ToString();
                    return answer.StatusCode == HttpStatusCode.OK;
                }
                catch (Exception fault) when (Unanswered.Is(fault))
                {
                    // A node froze or ended: a sender calls again.
                    return false;
                }
            },
            patience,
            what
        );
    }

    /// <summary>Returns the node of the server that gets the requests.</summary>
    public async Task<ServerProcess> HolderAsync()
    {
        foreach (var plane in _planes)
        {
            using var http = plane.Client(_rootKey);
            var relay = await http.GetFromJsonAsync<JsonElement>("/api/v1/relay");
            if (relay.GetProperty("data")[0].GetProperty("connection").GetProperty("holds").GetBoolean())
                return plane;
        }
        throw new InvalidOperationException("No node is given requests.");
    }

    public async Task SignalAsync(string signal, ServerProcess process)
    {
        using var kill = Process.Start("kill", $"-{signal} {process.Id}");
        await kill.WaitForExitAsync();
        if (signal == "STOP")
            _stopped.Add(process);
    }

    public async Task ContinueAsync()
    {
        foreach (var process in _stopped)
            await SignalAsync("CONT", process);
        _stopped.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        await ContinueAsync();
        foreach (var process in _planes.Concat(Relays))
            await process.DisposeAsync();
        await _front.DisposeAsync();
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task StartAllAsync()
    {
        int[] ports = [PostgresServer.FreePort(), PostgresServer.FreePort(), PostgresServer.FreePort()];
        _url = $"http://127.0.0.1:{ports[2]}";
        var environment = new Dictionary<string, string>
        {
            ["POSTERN_MASTER_KEY"] = "a master key for the tests, long enough",
            ["POSTERN_RelayServer__UnknownPerSecond"] = "0",
            ["POSTERN_Relay__DangerousPlainHttp"] = "true",
            ["POSTERN_Relay__Transport"] = "websocket",
        };
        var outside = new Dictionary<string, string>(environment) { ["POSTERN_PublicUrl"] = _url };
        var (ofRelay, ofPlane) = (PostgresServer.NewDatabase(), PostgresServer.NewDatabase());
        foreach (var port in ports[..2])
            Relays.Add(
                await ServerProcess.StartAsync(
                    $"--data {_folder}/relay{port} --urls http://127.0.0.1:{port} --database \"{ofRelay}\"",
                    outside,
                    command: "relay serve"
                )
            );
        _front = await FrontServer.HaproxyAsync(ports[2], ports[..2]);
        var (code, text, error) = await PosternCommand.RunAsync(
            $"relay enrol office --data {_folder}/relay{ports[0]} --database \"{ofRelay}\"",
            outside
        );
        Assert.True(code == 0, error);
        foreach (var n in (int[])[0, 1])
            _planes.Add(
                await ServerProcess.StartAsync(
                    $"--data {_folder}/plane{n} --urls http://127.0.0.1:{PostgresServer.FreePort()} --dev "
                        + $"--database \"{ofPlane}\" --relay \"{text.Trim()}\"",
                    environment
                )
            );
        _rootKey = _planes[0].RootKey;
        using var http = _planes[0].Client(_rootKey);
        (await http.PutAsJsonAsync("/api/v1/agents/idle", new { kind = "pull" })).EnsureSuccessStatusCode();
        var trigger = new
        {
            agent = "idle",
            promptTemplate = "{{body}}",
            maxInFlight = 1000,
        };
        (await http.PostAsJsonAsync("/api/triggers/user/u/open", trigger)).EnsureSuccessStatusCode();
        var joined = await http.GetFromJsonAsync<JsonElement>("/api/v1/relay");
        _target = joined.GetProperty("data")[0].GetProperty("url").GetString() + "/inbound/user/u/open";
        await WaitFor.TrueAsync(async () =>
            (await _http.GetAsync(_target)).StatusCode == HttpStatusCode.MethodNotAllowed
        );
    }
}
