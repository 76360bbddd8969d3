using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Somebody with a token for one session asks for its largest page many times, and reads none of the answers.
/// </summary>
public sealed class SlowReaderTests : IAsyncLifetime
{
    /// <summary>256 MiB: the room for bodies and answers is 32 MiB.</summary>
    private static readonly Dictionary<string, string> Small = new() { ["DOTNET_GCHeapHardLimit"] = "0x10000000" };
    private const string History = "/sessions/big/history?full=1&limit=100";
    private const string Records = "/realtime/v1/sessions/big/out/records?limit=1000";
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-slow-").FullName;
    private readonly List<Socket> _sockets = [];
    private ServerProcess? _server;
    private HttpClient? _http;

    public async ValueTask InitializeAsync()
    {
        _server = await ServerProcess.StartAsync($"--data {_folder} --urls http://127.0.0.1:0", Small);
        _http = _server.Client(_server.RootKey);
        await OkAsync("/api/v1/sessions", Session);
        for (var i = 0; i < 4; i++)
        {
            await OkAsync(
                "/realtime/v1/sessions/big/out/records",
                new { records = new[] { new { data = new string('x', 900_000) } } }
            );
            await OkAsync("/sessions/big/messages", new { role = "user", content = new string('y', 900_000) });
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var socket in _sockets)
            socket.Close(0);
        _http!.Dispose();
        await _server!.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static object Session =>
        new
        {
            type = "chat",
            externalId = "big",
            taskIdentifier = "echo",
            triggerConfig = new { basePayload = new { } },
        };

    /// <summary>Seven megabytes each; of a smaller answer, the system's own buffers take all.</summary>
    [Fact]
    public async Task Answers_that_nobody_reads_take_no_more_than_their_room_and_keep_no_other_out()
    {
        var token = (await OkAsync("/api/v1/auth/public-tokens", new { scopes = new[] { "read:sessions:big" } }))
            .GetProperty("token")
            .GetString()!;
        var statuses = new List<string>();
        for (var i = 0; i < 150; i++)
            statuses.Add(await AskAsync(History, token));
        Assert.Contains("200", statuses);
        Assert.Contains("503", statuses);
        Assert.All(statuses, status => Assert.True(status is "200" or "503", status));

        // Somebody else, and small answers of the same token, are served.
        Assert.Equal(HttpStatusCode.OK, (await _http!.GetAsync(Records)).StatusCode);
        Assert.Equal("200", await AskAsync("/api/v1/sessions/big", token));

        // What was held is free again.
        foreach (var socket in _sockets)
            socket.Close(0);
        await WaitFor.TrueAsync(async () => await AskAsync(History, token) == "200");
    }

    private async Task<JsonElement> OkAsync(string path, object body)
    {
        var answer = await _http!.PostAsJsonAsync(path, body);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    /// <summary>Asks, and reads no more than the status of the answer.</summary>
    private async Task<string> AskAsync(string path, string token)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        _sockets.Add(socket);
        await socket.ConnectAsync(IPAddress.Loopback, new Uri(_server!.Url).Port);
        var request = $"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n";
        await socket.SendAsync(Encoding.ASCII.GetBytes(request));
        var status = new byte[12];
        for (var read = 0; read < status.Length; )
            read += await socket.ReceiveAsync(status.AsMemory(read)) is > 0 and var more ? more : status.Length;
        return Encoding.ASCII.GetString(status)[^3..];
    }
}
