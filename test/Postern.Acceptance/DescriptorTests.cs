using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>More connections than the process has descriptors for.</summary>
public sealed class DescriptorTests
{
    [Fact]
    public async Task Many_idle_connections_do_not_end_the_server()
    {
        var folder = Directory.CreateTempSubdirectory("postern-descriptors-");
        await using (
            var server = await ServerProcess.StartAsync(
                $"--data \"{folder.FullName}\" --urls http://127.0.0.1:0 --dev",
                new Dictionary<string, string> { [PosternCommand.Descriptors] = "1024" }
            )
        )
        {
            var address = new IPEndPoint(IPAddress.Loopback, new Uri(server.Url).Port);
            var idle = new List<Socket>();
            for (var i = 0; i < 1600; i++)
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                idle.Add(socket);
                await socket.ConnectAsync(address);
            }
            using (var kept = Process(server))
                Assert.False(kept.HasExited);
            foreach (var socket in idle)
                socket.Close(0);
            using var client = server.Client(server.RootKey);
            await WaitFor.TrueAsync(async () =>
            {
                try
                {
                    return (
                        await client.PostAsync("/api/v1/runs", new StringContent("{\"agent\":\"echo\"}"))
                    ).IsSuccessStatusCode;
                }
                catch (Exception fault) when (Unanswered.Is(fault))
                {
                    // Closed connections still have their places.
                    return false;
                }
            });
        }
        folder.Delete(recursive: true);
    }

    /// <summary>They need no credential, and are held before a byte of a request has come.</summary>
    [Fact]
    public async Task One_address_with_idle_connections_keeps_no_other_out_and_does_not_fill_the_log()
    {
        var folder = Directory.CreateTempSubdirectory("postern-shares-");
        await using (
            var server = await ServerProcess.StartAsync(
                $"--data \"{folder.FullName}\" --urls http://127.0.0.1:0 --dev",
                new Dictionary<string, string> { [PosternCommand.Descriptors] = "1024" }
            )
        )
        {
            var port = new Uri(server.Url).Port;
            var idle = new List<Socket>();
            for (var i = 0; i < 1200; i++)
                idle.Add(await ConnectFromAsync("127.0.0.9", port));
            await server.SaysAsync("Connections are closed for want of places");
            // As many as everybody has for himself, one beside the other.
            var others = new List<Socket>();
            for (var i = 0; i < 20; i++)
                others.Add(await ConnectFromAsync("127.0.0.7", port));
            foreach (var other in others)
                Assert.StartsWith("HTTP/1.1 200 OK", await HealthAsync(other), StringComparison.Ordinal);
            Assert.Equal(2, server.Output.Split("Connections are closed").Length);
            Assert.DoesNotContain("maximum number of concurrent", server.Output, StringComparison.Ordinal);
            foreach (var socket in idle)
                socket.Close(0);
            // What was held is free again.
            await WaitFor.TrueAsync(async () =>
            {
                using var again = await ConnectFromAsync("127.0.0.9", port);
                return (await HealthAsync(again)).StartsWith("HTTP/1.1 200 OK", StringComparison.Ordinal);
            });
            foreach (var other in others)
                other.Close(0);
        }
        folder.Delete(recursive: true);
    }

    private static async Task<Socket> ConnectFromAsync(string address, int port)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
        await socket.ConnectAsync(IPAddress.Loopback, port);
        return socket;
    }

    private static async Task<string> HealthAsync(Socket socket)
    {
        var answer = new byte[64];
        try
        {
            await socket.SendAsync("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
            return System.Text.Encoding.ASCII.GetString(answer, 0, await socket.ReceiveAsync(answer));
        }
        catch (SocketException fault)
        {
            return fault.Message;
        }
    }

    /// <summary>All at once: the system has accepted them before the server reads the first.</summary>
    [Fact]
    public async Task A_burst_of_connections_does_not_end_the_server()
    {
        var folder = Directory.CreateTempSubdirectory("postern-burst-");
        await using (
            var server = await ServerProcess.StartAsync(
                $"--data \"{folder.FullName}\" --urls http://127.0.0.1:0 --dev",
                new Dictionary<string, string> { [PosternCommand.Descriptors] = "1024" }
            )
        )
        {
            var address = new IPEndPoint(IPAddress.Loopback, new Uri(server.Url).Port);
            for (var round = 0; round < 3; round++)
            {
                var idle = await Task.WhenAll(Enumerable.Range(0, 2000).Select(_ => ConnectAsync(address)));
                Assert.False(server.HasExited, server.Output);
                foreach (var socket in idle)
                    socket.Close(0);
            }
            using var client = server.Client(server.RootKey);
            await WaitFor.TrueAsync(async () => (await client.GetAsync("/readyz")).IsSuccessStatusCode);
            Assert.Equal(0, await server.TerminateAsync());
        }
        folder.Delete(recursive: true);
    }

    private static async Task<Socket> ConnectAsync(IPEndPoint address)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        try
        {
            await socket.ConnectAsync(address, soon.Token);
        }
        catch (Exception fault) when (fault is SocketException or OperationCanceledException)
        {
            // The system's queue is full.
        }
        return socket;
    }

    /// <summary>
    /// An assembly that is first loaded without a free descriptor cannot be loaded, and the runtime tries only once: a
    /// page that was not opened before would fail until the next start.
    /// </summary>
    [Fact]
    public async Task Nothing_is_loaded_any_more_once_the_server_listens()
    {
        var folder = Directory.CreateTempSubdirectory("postern-loaded-");
        await using var receiver = await Receiver.StartAsync();
        await using (
            var server = await ServerProcess.StartAsync($"--data \"{folder.FullName}\" --urls http://127.0.0.1:0 --dev")
        )
        {
            var loaded = LoadedBy(server);
            Assert.Contains("Microsoft.AspNetCore.Components.dll", loaded);
            using var http = server.Client(server.RootKey);
            foreach (
                var path in (string[])
                    ["/", "/docs", "/docs/index.html", "/openapi.json", "/approvals/none", "/api/v1/audit", "/readyz"]
            )
                await http.GetAsync(path);
            await http.PutAsJsonAsync(
                "/api/v1/webhook-endpoints/all",
                new { url = receiver.Url, events = new[] { "*" } }
            );
            await http.PutAsJsonAsync("/api/triggers/user/me/t", new { agent = "echo", promptTemplate = "{{body.a}}" });
            await http.PostAsJsonAsync("/inbound/user/me/t", new { a = 1 });
            await http.PostAsJsonAsync("/sessions/kept/messages", new { role = "user", content = "x" });
            await http.GetAsync("/sessions/kept/history");
            await http.PostAsJsonAsync("/api/v1/auth/public-tokens", new { scopes = new[] { "read:sessions" } });
            var run = await http.PostAsJsonAsync(
                "/api/v1/runs",
                new { agent = "echo", callback = new { url = receiver.Url } }
            );
            var id = (await run.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString();
            await http.GetAsync($"/api/v1/runs/{id}?wait=20");
            await WaitFor.TrueAsync(() => Task.FromResult(!receiver.Taken.IsEmpty));
            Assert.Equal(loaded, LoadedBy(server));
        }
        folder.Delete(recursive: true);
    }

    private static SortedSet<string> LoadedBy(ServerProcess server) =>
        new(
            File.ReadLines($"/proc/{server.Id}/maps")
                .Select(line => Path.GetFileName(line.Split(' ')[^1]))
                .Where(name => name.EndsWith(".dll", StringComparison.Ordinal)),
            StringComparer.Ordinal
        );

    private static System.Diagnostics.Process Process(ServerProcess server) =>
        System.Diagnostics.Process.GetProcessById(server.Id);
}
