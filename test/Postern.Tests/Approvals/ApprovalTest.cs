using System.Text;
using Postern.Support;

namespace Postern.Tests.Approvals;

/// <summary>A server with an approval service and runs that can ask. Every test of approvals begins with it.</summary>
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

    private protected const string Door = "/api/v1/webhooks/approval-response";

    private protected Task<Answer> SendAsync(string body, params (string, string)[] headers) =>
        _server.SendAsync(HttpMethod.Post, Door, null, Encoding.UTF8.GetBytes(body), headers);

    private protected Task<Answer> ServiceAsync(string name, object body) =>
        _server.SendAsync(HttpMethod.Put, "/api/v1/approval-services/" + name, _server.RootKey, body);
}
