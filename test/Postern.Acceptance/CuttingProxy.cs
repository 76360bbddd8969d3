using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Postern.Acceptance;

/// <summary>A TCP proxy on loopback whose connections can be cut: a network that fails under a client that nobody here wrote.</summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentBag<Socket> _open = [];
    private readonly int _target;

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
        while (_open.TryTake(out var socket)) socket.Close(0);
    }

    public ValueTask DisposeAsync()
    {
        _listener.Stop();
        CutAll();
        return default;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync();
                var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await server.ConnectAsync(IPAddress.Loopback, _target);
                _open.Add(client);
                _open.Add(server);
                _ = PumpAsync(client, server);
                _ = PumpAsync(server, client);
            }
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            int read;
            while ((read = await from.ReceiveAsync(buffer)) > 0) await to.SendAsync(buffer.AsMemory(0, read));
            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }
}
