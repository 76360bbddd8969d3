using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>Bodies that never end, of somebody who has shown no credential.</summary>
public sealed class BodyRoomTests : IAsyncLifetime
{
    /// <summary>256 MiB: the room for bodies is 32 MiB.</summary>
    private static readonly Dictionary<string, string> Small = new() { ["DOTNET_GCHeapHardLimit"] = "0x10000000" };
    private const int Large = 1_000_000;
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-room-").FullName;
    private readonly List<Socket> _sockets = [];
    private ServerProcess? _server;

    public async ValueTask InitializeAsync()
    {
        _server = await ServerProcess.StartAsync($"--data {_folder} --urls http://127.0.0.1:0", Small);
        using var http = _server.Client(_server.RootKey);
        var made = await http.PutAsJsonAsync(
            "/api/v1/approval-services/default",
            new { secrets = new[] { "a secret of these tests, long" } }
        );
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var socket in _sockets)
            socket.Close(0);
        await _server!.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Bodies_that_never_end_take_no_more_than_their_room_and_keep_no_other_out()
    {
        var held = new List<Task<string>>();
        for (var i = 0; i < 100; i++)
            held.Add(AnswerAsync(await SendAsync("127.0.0.9", Large + 1, new byte[Large])));
        // Some find no room; nobody is told anything else.
        await WaitFor.TrueAsync(() => Task.FromResult(held.Count(t => t.IsCompleted) >= 70));
        foreach (var refused in held.Where(t => t.IsCompleted))
            Assert.StartsWith("HTTP/1.1 503", await refused, StringComparison.Ordinal);
        Assert.InRange(held.Count(t => !t.IsCompleted), 10, 30);

        // Somebody else, and a small body of the same address, are served: 401, for the signature is none.
        var other = await AnswerAsync(await SendAsync("127.0.0.7", Large, new byte[Large]));
        Assert.StartsWith("HTTP/1.1 401", other, StringComparison.Ordinal);
        var small = await AnswerAsync(await SendAsync("127.0.0.9", 10_000, new byte[10_000]));
        Assert.StartsWith("HTTP/1.1 401", small, StringComparison.Ordinal);
        using var http = _server!.Client(_server.RootKey);
        var run = await http.PostAsJsonAsync("/api/v1/runs", new { agent = "echo", input = new string('x', 500_000) });
        Assert.Equal(HttpStatusCode.Accepted, run.StatusCode);

        // What was held is free again.
        foreach (var socket in _sockets)
            socket.Close(0);
        await WaitFor.TrueAsync(async () =>
            (await AnswerAsync(await SendAsync("127.0.0.9", Large, new byte[Large]))).StartsWith(
                "HTTP/1.1 401",
                StringComparison.Ordinal
            )
        );
    }

    /// <summary>A length is only said: nothing is kept for it.</summary>
    [Fact]
    public async Task A_declared_length_takes_no_room()
    {
        for (var i = 0; i < 200; i++)
            await SendAsync("127.0.0.9", Large, [1]);
        var other = await AnswerAsync(await SendAsync("127.0.0.9", Large, new byte[Large]));
        Assert.StartsWith("HTTP/1.1 401", other, StringComparison.Ordinal);
    }

    private async Task<Socket> SendAsync(string from, int declared, byte[] body)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        _sockets.Add(socket);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        await socket.ConnectAsync(IPAddress.Loopback, new Uri(_server!.Url).Port);
        var head =
            "POST /api/v1/webhooks/approval-response HTTP/1.1\r\nHost: x\r\nX-Hax-Signature: t=1,v1=aa\r\n"
            + $"Content-Length: {declared}\r\n\r\n";
        try
        {
            await socket.SendAsync(Encoding.ASCII.GetBytes(head));
            await socket.SendAsync(body);
        }
        catch (SocketException)
        {
            // It was refused while the body was being sent; the answer says so.
        }
        return socket;
    }

    private static async Task<string> AnswerAsync(Socket socket)
    {
        var answer = new byte[32];
        try
        {
            return Encoding.ASCII.GetString(answer, 0, await socket.ReceiveAsync(answer));
        }
        catch (SocketException fault)
        {
            return fault.Message;
        }
    }
}
