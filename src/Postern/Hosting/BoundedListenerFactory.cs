using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Postern.Hosting;

/// <summary>
/// Accepts no more connections than the process has descriptors for. The others wait in the system's queue. The web
/// server has a limit of its own, but counts a connection only when its work begins. On a busy machine it accepts many
/// more before that, and when no descriptor is left, the runtime ends the process.
/// </summary>
/// <param name="inner">What accepts.</param>
/// <param name="most">Connections that may be open at once, of all listeners.</param>
internal sealed class BoundedListenerFactory(IConnectionListenerFactory inner, int most)
    : IConnectionListenerFactory,
        IConnectionListenerFactorySelector
{
    private readonly SemaphoreSlim _places = new(most);

    public bool CanBind(EndPoint endpoint) =>
        inner is not IConnectionListenerFactorySelector selector || selector.CanBind(endpoint);

    public async ValueTask<IConnectionListener> BindAsync(
        EndPoint endpoint,
        CancellationToken cancellationToken = default
    ) => new BoundedListener(await inner.BindAsync(endpoint, cancellationToken), _places);

    private sealed class BoundedListener(IConnectionListener inner, SemaphoreSlim places) : IConnectionListener
    {
        private readonly CancellationTokenSource _unbound = new();

        public EndPoint EndPoint => inner.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            try
            {
                await places.WaitAsync(_unbound.Token);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
            ConnectionContext? connection = null;
            try
            {
                connection = await inner.AcceptAsync(cancellationToken);
            }
            finally
            {
                if (connection is null)
                    places.Release();
            }
            return connection is null ? null : new PlacedConnection(connection, places);
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
