using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Postern.Hosting;

/// <summary>
/// Accepts no more connections than the process has descriptors for. The others wait in the system's queue, except some
/// that are accepted to be closed. The web server has a limit of its own, but counts a connection only when its work
/// begins. On a busy machine it accepts many more before that, and when no descriptor is left, the runtime ends the
/// process.
/// </summary>
/// <param name="inner">What accepts.</param>
/// <param name="shares">Who gets a place, of all listeners.</param>
internal sealed class BoundedListenerFactory(
    IConnectionListenerFactory inner,
    ConnectionShares shares,
    TimeProvider clock,
    ILogger<BoundedListenerFactory> log
) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    /// <summary>Connections without a place that are being closed at the same time.</summary>
    private const int Refused = 64;

    /// <summary>Closed connections are told of once in this time, however many they are.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _places = new(shares.Most + Refused);
    private readonly Lock _gate = new();
    private long? _saidAt;

    public bool CanBind(EndPoint endpoint) =>
        inner is not IConnectionListenerFactorySelector selector || selector.CanBind(endpoint);

    public async ValueTask<IConnectionListener> BindAsync(
        EndPoint endpoint,
        CancellationToken cancellationToken = default
    ) => new BoundedListener(await inner.BindAsync(endpoint, cancellationToken), this);

    /// <summary>Returns the connection with its place, or null when it got none and is closed.</summary>
    private PlacedConnection? Placed(ConnectionContext connection)
    {
        var address = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        if (shares.TryTake(address))
            return new PlacedConnection(connection, () => Free(address));
        Say(address);
        _ = CloseAsync(connection);
        return null;
    }

    private async Task CloseAsync(ConnectionContext connection)
    {
        try
        {
            await connection.DisposeAsync();
        }
        finally
        {
            _places.Release();
        }
    }

    private void Free(IPAddress? address)
    {
        shares.Free(address);
        _places.Release();
    }

    private void Say(IPAddress? address)
    {
        lock (_gate)
        {
            if (_saidAt is { } at && clock.GetElapsedTime(at) < Quiet)
                return;
            _saidAt = clock.GetTimestamp();
        }
        HostLog.ConnectionsClosed(
            log,
            shares.Open,
            shares.Most,
            shares.HeldBy(address),
            address?.ToString() ?? "a Unix socket"
        );
    }

    private sealed class BoundedListener(IConnectionListener inner, BoundedListenerFactory factory)
        : IConnectionListener
    {
        private readonly CancellationTokenSource _unbound = new();

        public EndPoint EndPoint => inner.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (await TakeAsync(cancellationToken) is { } connection)
                if (factory.Placed(connection) is { } placed)
                    return placed;
            return null;
        }

        /// <summary>Returns the next connection, which holds one of the listeners' places; null at the end.</summary>
        private async ValueTask<ConnectionContext?> TakeAsync(CancellationToken cancel)
        {
            try
            {
                await factory._places.WaitAsync(_unbound.Token);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
            ConnectionContext? connection = null;
            try
            {
                return connection = await inner.AcceptAsync(cancel);
            }
            finally
            {
                if (connection is null)
                    factory._places.Release();
            }
        }

        public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            await _unbound.CancelAsync();
            await inner.UnbindAsync(cancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            await _unbound.CancelAsync();
            await inner.DisposeAsync();
            _unbound.Dispose();
        }
    }
}
