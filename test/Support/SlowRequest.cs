using System.Net.Sockets;
using System.Text;

namespace Postern.Support;

/// <summary>
/// A request whose body comes when the test says so. It sends <c>Expect: 100-continue</c>, so the test knows when its
/// headers were accepted and its handler is reading.
/// </summary>
internal sealed class SlowRequest : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly byte[] _body;
    private int _sent;

    private SlowRequest(byte[] body) => _body = body;

    /// <summary>
    /// Sends the headers and waits until the server asks for the body. Returns null when it refused before that.
    /// </summary>
    public static async Task<SlowRequest?> BeginAsync(
        string server,
        string method,
        string path,
        byte[] body,
        params (string Name, string Value)[] headers
    ) => (await TryAsync(server, method, path, body, headers)).Request;

    /// <summary>
    /// Returns the request when the server asks for its body, or the status with which the server answers without it.
    /// </summary>
    public static async Task<(SlowRequest? Request, int Status)> TryAsync(
        string server,
        string method,
        string path,
        byte[] body,
        params (string Name, string Value)[] headers
    )
    {
        var request = new SlowRequest(body);
        var url = new Uri(server);
        await request._socket.ConnectAsync(url.Host, url.Port);
        var head = new StringBuilder(
            $"{method} {path} HTTP/1.1\r\nHost: {url.Authority}\r\nConnection: close\r\nExpect: 100-continue\r\n"
                + $"Content-Length: {body.Length}\r\n"
        );
        if (headers.All(h => !h.Name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase)))
            head.Append("Content-Type: application/json\r\n");
        foreach (var (name, value) in headers)
            head.Append(name).Append(": ").Append(value).Append("\r\n");
        await request._socket.SendAsync(Encoding.Latin1.GetBytes(head.Append("\r\n").ToString()));
        var first = await request.ReadAsync(untilBlankLine: true);
        if (first.StartsWith("HTTP/1.1 100", StringComparison.Ordinal))
            return (request, 100);
        await request.DisposeAsync();
        return (null, StatusOf(first));
    }

    /// <summary>Sends half of the rest.</summary>
    public async Task SendHalfAsync()
    {
        var half = (_body.Length - _sent) / 2;
        await _socket.SendAsync(_body.AsMemory(_sent, half));
        _sent += half;
    }

    /// <summary>Sends the rest and reads the answer: its status and its text.</summary>
    public async Task<(int Status, string Text)> EndAsync()
    {
        try
        {
            await _socket.SendAsync(_body.AsMemory(_sent));
        }
        catch (SocketException)
        {
            // The server had answered and closed; its answer can still be read.
        }
        var answer = await ReadAsync(untilBlankLine: false);
        return (StatusOf(answer), answer);
    }

    /// <summary>0: the connection was closed without an answer.</summary>
    private static int StatusOf(string answer) => answer.Length < 12 ? 0 : int.Parse(answer.AsSpan(9, 3));

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<string> ReadAsync(bool untilBlankLine)
    {
        using var limit = new CancellationTokenSource(Patience);
        var text = new StringBuilder();
        var buffer = new byte[4096];
        while (await _socket.ReceiveAsync(buffer, limit.Token) is > 0 and var read)
        {
            text.Append(Encoding.Latin1.GetString(buffer, 0, read));
            if (untilBlankLine && text.ToString().Contains("\r\n\r\n", StringComparison.Ordinal))
                break;
        }
        return text.ToString();
    }
}
