using System.Net.Sockets;
using System.Text;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Requests that are spelt oddly, sent to a server itself and through its relay as the same bytes: both are judged
/// alike, so that nobody gets past a signature by the way that a request took.
/// </summary>
public sealed class RelayedSpellingContract
{
    private const string Path = "/inbound/user/u/hook";
    private const string Wrong = "X-Hub-Signature-256: sha256=00\r\n";
    private int _bodies;

    [Fact]
    public async Task What_is_spelt_oddly_is_judged_through_a_relay_as_it_is_directly()
    {
        await using var scene = await RelayedScene.StartAsync(
            (_, relay) => Task.FromResult(((IAsyncDisposable)new Nothing(), relay))
        );
        foreach (
            var (name, headers, encode) in new (string, Func<string, string>, Func<string, string>)[]
            {
                ("as it should be", Right, Plain),
                ("a name in other letters", b => Right(b).Replace("X-Hub", "x-hUB", StringComparison.Ordinal), Plain),
                ("no signature", _ => "", Plain),
                ("right, then wrong", b => Right(b) + Wrong, Plain),
                ("wrong, then right", b => Wrong + Right(b), Plain),
                ("right, twice", b => Right(b) + Right(b), Plain),
                ("with a space behind it", b => Right(b).Replace("\r\n", " \t\r\n", StringComparison.Ordinal), Plain),
                ("in pieces", b => Right(b) + "Transfer-Encoding: chunked\r\n", Chunked),
                ("said to be compressed", b => Right(b) + "Content-Encoding: gzip\r\n", Plain),
                ("of a type that is none", b => Right(b) + "Content-Type: ;;==\r\n", Plain),
                ("of two types", b => Right(b) + "Content-Type: text/plain\r\nContent-Type: a/b\r\n", Plain),
                ("with bytes that are no ASCII", b => Right(b) + "X-Note: gr\u00fc\u00dfe\r\n", Plain),
                ("with a proxy's word", b => Right(b) + "X-Forwarded-For: 127.0.0.1\r\nForwarded: for=x\r\n", Plain),
                ("with a method beside it", b => Right(b) + "X-HTTP-Method-Override: DELETE\r\n", Plain),
            }
        )
        {
            var direct = await SendAsync(scene.Server.Url, Path, headers, encode);
            var relayed = await SendAsync(scene.Relay.Url, scene.At(Path), headers, encode);
            Assert.True(direct == relayed, $"{name}: {direct} directly, {relayed} through the relay");
        }
        // What a header of the connection names is for the next hop alone: the relay passes no signature on.
        Assert.Equal(
            "401",
            await SendAsync(
                scene.Relay.Url,
                scene.At(Path),
                b => Right(b) + "Connection: X-Hub-Signature-256\r\n",
                Plain
            )
        );
    }

    private static string Right(string body) => $"X-Hub-Signature-256: {RelayedScene.Signed(body).Item2}\r\n";

    private static string Plain(string body) => $"Content-Length: {body.Length}\r\n\r\n{body}";

    private static string Chunked(string body) =>
        $"\r\n3\r\n{body[..3]}\r\n{body.Length - 3:x};x=y\r\n{body[3..]}\r\n0\r\n\r\n";

    /// <summary>The status of the answer; each request has a body of its own, so that none is a repeat.</summary>
    private async Task<string> SendAsync(
        string server,
        string target,
        Func<string, string> headers,
        Func<string, string> encode
    )
    {
        var url = new Uri(server);
        var body = $"{{\"n\":{++_bodies}}}";
        using var client = new TcpClient();
        await client.ConnectAsync(url.Host, url.Port);
        var stream = client.GetStream();
        var head = $"POST {target} HTTP/1.1\r\nHost: x\r\nPrefer: wait=20\r\n{headers(body)}";
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head + encode(body)));
        using var reader = new StreamReader(stream, Encoding.Latin1);
        var first = await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(40));
        return first?.Split(' ')[1] ?? "cut";
    }

    /// <summary>Nothing stands in between.</summary>
    private sealed class Nothing : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
