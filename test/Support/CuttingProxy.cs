using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Postern.Support;

/// <summary>
/// A TCP proxy on loopback whose connections can be cut, or can lead nowhere: a network fault that neither side knows
/// of. While its target is away, it accepts connections and closes them.
/// </summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<Socket, byte> _open = new();
    private readonly int _target;
    private volatile Task _through = Task.CompletedTask;
    private TaskCompletionSource? _hole;

    private CuttingProxy(int target) => _target = target;

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public static Task<CuttingProxy> StartAsync(int target)
    {
        var proxy = new CuttingProxy(target);
        proxy._listener.Start();
        _ = proxy.AcceptAsync();
        return Task.FromResult(proxy);
    }

    public void CutAll()
    {
        foreach (var socket in _open.Keys)
            Close(socket);
    }

    /// <summary>From now on nothing gets through, and neither side is told.</summary>
    public void BlackHole()
    {
        _hole ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _through = _hole.Task;
    }

    /// <summary>Ends <see cref="BlackHole"/>: open connections are cut, because what was sent is lost.</summary>
    public void Heal()
    {
        CutAll();
        _through = Task.CompletedTask;
        _hole?.TrySetResult();
        _hole = null;
    }

    public ValueTask DisposeAsync()
    {
        _listener.Stop();
        Heal();
        return default;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptSocketAsync());
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket client)
    {
        _open[client] = 0;
        var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await _through;
            await server.ConnectAsync(IPAddress.Loopback, _target);
            _open[server] = 0;
            await Task.WhenAll(PumpAsync(client, server), PumpAsync(server, client));
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // Its target is away, or it was cut meanwhile.
        }
        finally
        {
            Close(client);
            Close(server);
        }
    }

    private void Close(Socket socket)
    {
        _open.TryRemove(socket, out _);
        socket.Close(0);
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            int read;
            while ((read = await from.ReceiveAsync(buffer)) > 0)
            {
                await _through;
                await to.SendAsync(buffer.AsMemory(0, read));
            }
            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // Cut; the other direction hears of it.
            from.Close(0);
            to.Close(0);
        }
    }
}
