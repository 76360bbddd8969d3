using Postern.Support;

namespace Postern.Tests.Approvals;

/// <summary>A server with an approval service and runs that can ask: what every test of approvals begins with.</summary>
public abstract class ApprovalTest : IAsyncLifetime
{
    private protected TestServer _server = null!;
    private protected Asking _asking = null!;

    public virtual async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _asking = await Asking.PrepareAsync(_server);
    }

    public virtual async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
