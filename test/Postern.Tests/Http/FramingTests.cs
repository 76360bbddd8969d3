using System.Net.Sockets;
using System.Text;
using Postern.Support;

namespace Postern.Tests.Http;

/// <summary>Where a request ends, byte for byte: forms that a proxy may read differently.</summary>
public sealed class FramingTests : IAsyncLifetime
{
    private const string Begin =
        "POST /sessions/framing/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ";
    private const string Message = "{\"role\":\"user\",\"content\":\"x\"}";
    private const string Chunked = "1d\r\n" + Message + "\r\n0\r\n\r\n";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData("Content-Length: 29\r\n\r\n" + Message, 201)]
    [InlineData("Content-Length:  29 \r\n\r\n" + Message, 201)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n" + Chunked, 201)]
    [InlineData("Transfer-Encoding: Chunked\r\n\r\n1D\r\n" + Message + "\r\n0\r\n\r\n", 201)]
    [InlineData("Content-Length: +29\r\n\r\n" + Message, 400)]
    [InlineData("Content-Length: -29\r\n\r\n" + Message, 400)]
    [InlineData("Content-Length: 2 9\r\n\r\n" + Message, 400)]
    [InlineData("Content-Length: 29, 29\r\n\r\n" + Message, 400)]
    [InlineData("Content-Length: 29\r\nContent-Length: 29\r\n\r\n" + Message, 400)]
    [InlineData("Content-Length: 0x1d\r\n\r\n" + Message, 400)]
    [InlineData("Content-Length: 29.0\r\n\r\n" + Message, 400)]
    [InlineData("Content-Length: \u00b2\u00b9\r\n\r\n" + Message, 400)]
    [InlineData("Content-Length: \u000b29\r\n\r\n" + Message, 400)]
    [InlineData("Content-Length:\r\n\r\n" + Message, 400)]
    [InlineData("Content-Length: 99999999999999999999\r\n\r\n" + Message, 400)]
    [InlineData("Transfer-Encoding: gzip, chunked\r\n\r\n" + Chunked, 400)]
    [InlineData("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + Chunked, 400)]
    [InlineData("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + Chunked, 400)]
    [InlineData("Transfer-Encoding: chunked, chunked\r\n\r\n" + Chunked, 400)]
    [InlineData("Transfer-Encoding: chunked, identity\r\n\r\n" + Chunked, 400)]
    [InlineData("Transfer-Encoding: identity\r\nContent-Length: 29\r\n\r\n" + Message, 400)]
    [InlineData("Transfer-Encoding: xchunked\r\n\r\n" + Chunked, 400)]
    [InlineData("Transfer-Encoding: chunked;q=1\r\n\r\n" + Chunked, 400)]
    [InlineData("Transfer-Encoding: ,chunked\r\n\r\n" + Chunked, 400)]
    [InlineData("Transfer-Encoding: \u000bchunked\r\n\r\n" + Chunked, 400)]
    [InlineData("Transfer-Encoding:\r\nContent-Length: 29\r\n\r\n" + Message, 400)]
    [InlineData("Transfer-Encoding: chunked\r\nContent-Length: 29\r\n\r\n" + Chunked, 400)]
    [InlineData("Content-Length: 29\r\nTransfer-Encoding: chunked\r\n\r\n" + Chunked, 400)]
    [InlineData("Content-Length: 29\n\r\n" + Message, 400)]
    [InlineData("Content-Length: 29\r\n\n" + Message, 400)]
    [InlineData("X-Other: y\nContent-Length: 29\r\n\r\n" + Message, 400)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n1d\n" + Message + "\r\n0\r\n\r\n", 400)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n1d\r\n" + Message + "\n0\r\n\r\n", 400)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n1d;x=\ny\r\n" + Message + "\r\n0\r\n\r\n", 400)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n", 400)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\nabc\r\n0\r\n\r\n", 400)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n80000000\r\nabc\r\n0\r\n\r\n", 400)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n", 400)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n+1d\r\n" + Message + "\r\n0\r\n\r\n", 400)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n", 400)]
    public async Task A_request_whose_end_can_be_read_in_two_ways_is_refused_and_nothing_is_written(
        string rest,
        int status
    )
    {
        var answer = await RawAsync(Begin + _server.RootKey + "\r\n" + rest);
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        // It is never the beginning of a second answer: the remaining bytes are not a request.
        Assert.Equal(0, answer.IndexOf("HTTP/1.1 ", StringComparison.Ordinal));
        Assert.Equal(-1, answer.IndexOf("HTTP/1.1 ", 1, StringComparison.Ordinal));
        Assert.Equal(status == 201 ? 200 : 404, (await _server.GetAsync("/sessions/framing/history")).Status);
        Assert.DoesNotContain("Exception", _server.Log.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET /healthz HTTP/1.1\nHost: x\r\n\r\n")]
    [InlineData("GET /healthz HTTP/1.1\r\nHost: x\n\r\n")]
    [InlineData("GET /healthz HTTP/1.1\r\nHost: x\r\n\n")]
    [InlineData("GET /healthz HTTP/1.1\nHost: x\n\n")]
    public async Task Lines_that_a_line_feed_alone_ends_are_refused(string request) =>
        Assert.StartsWith("HTTP/1.1 400 ", await RawAsync(request), StringComparison.Ordinal);

    [Fact]
    public async Task An_old_protocol_knows_no_chunks()
    {
        var answer = await RawAsync("POST /api/v1/runs HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/inbound/user/u/t")]
    [InlineData("/api/v1/webhooks/approval-response")]
    [InlineData("/api/v1/runs")]
    [InlineData("/internal/jobs/x/status")]
    public async Task A_chunk_size_beyond_all_numbers_is_never_taken_for_the_servers_own_fault(string path)
    {
        var head =
            $"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {_server.RootKey}\r\n";
        var answer = await RawAsync(head + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n");
        Assert.Matches("^HTTP/1.1 (4[0-9][0-9]|503) ", answer);
        Assert.DoesNotContain("Exception", _server.Log.Text, StringComparison.Ordinal);
    }

    /// <summary>Returns all bytes until the server closes the connection.</summary>
    private async Task<string> RawAsync(string request)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", new Uri(_server.Url).Port);
        await socket.SendAsync(Encoding.Latin1.GetBytes(request));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var (buffer, text) = (new byte[4096], new StringBuilder());
        while (await socket.ReceiveAsync(buffer, patience.Token) is > 0 and var read)
            text.Append(Encoding.Latin1.GetString(buffer, 0, read));
        return text.ToString();
    }
}
