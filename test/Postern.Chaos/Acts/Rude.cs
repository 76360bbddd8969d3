using System.Net.Sockets;
using System.Text;

namespace Postern.Chaos.Acts;

/// <summary>
/// Sends invalid traffic: odd bodies, half a request and then silence, noise, many connections at once.
/// </summary>
internal sealed class Rude(World world, string name) : Actor(world, name)
{
    private static readonly string[] Doors =
    [
        "/api/v1/runs",
        "/api/v1/sessions",
        "/sessions/rude/messages",
        "/api/v1/keys",
        "/inbound/user/chaos/echo",
        "/api/v1/webhooks/approval-response",
        "/api/v1/deliveries/replay",
        "/api/triggers/user/chaos/rude",
    ];

    private static readonly string[] Bodies =
    [
        "",
        "{",
        "[]",
        "null",
        "{\"agent\":\"\\ud83d\"}",
        "{\"agent\":1e400}",
        "{\"agent\":\"a\\u0000b\"}",
        "{\"agent\":\"echo\",\"agent\":\"pull\"}",
        "{\"name\":{}}",
        "{\"role\":[],\"content\":7}",
        "\u00e9",
    ];

    protected override async Task ActAsync()
    {
        await PauseAsync(500);
        switch (Random.Next(5))
        {
            case 0:
                await HalfAsync();
                break;
            case 1:
                await NoiseAsync();
                break;
            case 2:
                await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => ConnectAsync("")));
                break;
            default:
                var odd = Bodies[Random.Next(Bodies.Length)];
                var body = Chance(6) ? new string('[', 20_000) : odd;
                var answer = await Caller.TryAsync(
                    Random.Next(8),
                    HttpMethod.Post,
                    Doors[Random.Next(Doors.Length)],
                    Chance(3) ? Encoding.Latin1.GetBytes(body) : body,
                    World.Root
                );
                if (answer.Ok)
                    Ledger.Write("odd", new { status = answer.Status, body });
                break;
        }
    }

    private Task HalfAsync() =>
        ConnectAsync(
            $"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {World.Root}\r\n"
                + "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"agent\":\"echo\","
        );

    private Task NoiseAsync()
    {
        var noise = new byte[Random.Next(1, 4000)];
        Random.NextBytes(noise);
        return ConnectAsync(Encoding.Latin1.GetString(noise));
    }

    /// <summary>Sends it, waits without a word, and disconnects.</summary>
    private async Task ConnectAsync(string text)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            var node = World.Cluster.Nodes[Random.Next(World.Cluster.Nodes.Count)];
            await socket.ConnectAsync("127.0.0.1", node.Front.Port, Caller.Stop);
            await socket.SendAsync(Encoding.Latin1.GetBytes(text), Caller.Stop);
            await Task.Delay(1500, Caller.Stop);
        }
        catch (SocketException)
        {
            // It was refused, or the connection was closed.
        }
    }
}
