using System.Net;
using System.Net.Sockets;

namespace Postern.Support;

/// <summary>
/// A TCP proxy on loopback that passes a limited number of bytes in a second, each way, and reads no faster than it
/// writes. Its buffers are as small as the system makes them.
/// </summary>
internal sealed class SlowProxy : IAsyncDisposable
{
    private const int Piece = 512;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly int _target;
    private readonly TimeSpan _pause;
    private long _passed;

    public SlowProxy(int target, int bytesPerSecond)
    {
        (_target, _pause) = (target, TimeSpan.FromSeconds((double)Piece / bytesPerSecond));
        _listener.Server.ReceiveBufferSize = 4096;
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The bytes that went through, both ways.</summary>
    public long Passed => Interlocked.Read(ref _passed);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptSocketAsync(_end.Token));
        }
        catch (Exception fault) when (fault is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        using (client)
            try
            {
                (client.SendBufferSize, client.NoDelay) = (4096, true);
                (server.SendBufferSize, server.NoDelay) = (4096, true);
                await server.ConnectAsync(IPAddress.Loopback, _target, _end.Token);
                await Task.WhenAny(PumpAsync(client, server), PumpAsync(server, client));
            }
            catch (Exception fault) when (fault is SocketException or OperationCanceledException)
            {
                // One side has gone, or the test is over.
            }
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[Piece];
        var next = System.Diagnostics.Stopwatch.StartNew();
        for (var sent = 1; ; sent++)
        {
            var read = await from.ReceiveAsync(buffer, _end.Token);
            if (read == 0)
                return;
            await to.SendAsync(buffer.AsMemory(0, read), _end.Token);
            Interlocked.Add(ref _passed, read);
            // Computed from the bytes so far, so that a late timer does not make the line slower; idle time is not
            // saved up.
            var due = _pause * sent;
            if (due > next.Elapsed)
                await Task.Delay(due - next.Elapsed, _end.Token);
            else if (next.Elapsed - due > TimeSpan.FromSeconds(1))
                (sent, next) = (0, System.Diagnostics.Stopwatch.StartNew());
        }
    }
}
