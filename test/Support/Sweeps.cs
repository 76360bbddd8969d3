using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Postern.Storage;

namespace Postern.Support;

/// <summary>The loops remove old rows once a minute of real time. A test does not wait for that.</summary>
internal static class Sweeps
{
    /// <summary>Lets each loop of a server remove what is old, once.</summary>
    public static async Task OfAllLoopsAsync(TestServer server)
    {
        foreach (var loop in server.App.Services.GetServices<IHostedService>().OfType<PollingLoop>())
            await loop.SweepOnceAsync(CancellationToken.None);
    }
}
