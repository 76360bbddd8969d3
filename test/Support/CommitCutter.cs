using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postern.Support;

/// <summary>
/// Stands between a node and its PostgreSQL, on loopback. When a test asks for it, one command arrives at the server
/// and its answer never comes back, because the connection is cut.
/// </summary>
internal sealed class CommitCutter : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _target;
    private Cut? _cut;

    public CommitCutter(int target)
    {
        _target = target;
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>
    /// The next message to the server that contains this text is the last of its connection, if that connection has
    /// already sent the other text.
    /// </summary>
    public void CutBehind(string text, string after) =>
        Volatile.Write(ref _cut, new Cut(Encoding.UTF8.GetBytes(text), Encoding.UTF8.GetBytes(after)));

    public void Dispose() => _listener.Stop();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync();
                var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await server.ConnectAsync(IPAddress.Loopback, _target);
                _ = PumpAsync(client, server, watched: true);
                _ = PumpAsync(server, client, watched: false);
            }
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task PumpAsync(Socket from, Socket to, bool watched)
    {
        var buffer = new byte[64 * 1024];
        var isIt = false;
        try
        {
            int read;
            while ((read = await from.ReceiveAsync(buffer)) > 0)
            {
                var cut = watched ? Volatile.Read(ref _cut) : null;
                isIt |= cut is not null && buffer.AsSpan(0, read).IndexOf(cut.After) >= 0;
                if (
                    cut is not null
                    && isIt
                    && buffer.AsSpan(0, read).IndexOf(cut.Text) >= 0
                    && Interlocked.CompareExchange(ref _cut, null, cut) == cut
                )
                {
                    // The node's side first, so that no answer reaches it. The server reads what is still on its way.
                    from.Close(0);
                    await to.SendAsync(buffer.AsMemory(0, read));
                    to.Shutdown(SocketShutdown.Send);
                    return;
                }
                await to.SendAsync(buffer.AsMemory(0, read));
            }
            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }

    private sealed record Cut(byte[] Text, byte[] After);
}
