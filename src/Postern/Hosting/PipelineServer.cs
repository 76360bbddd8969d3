using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Postern.Http;

namespace Postern.Hosting;

/// <summary>
/// Wraps the listening server, and gives the application that it serves to <see cref="RequestPipeline"/>. Without an
/// inner server it listens nowhere; such a server is reached only through a relay.
/// </summary>
internal sealed class PipelineServer(IServer? listening, RequestPipeline pipeline) : IServer
{
    private readonly FeatureCollection _own = NoAddresses();

    public IFeatureCollection Features => listening?.Features ?? _own;

    public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
        where TContext : notnull
    {
        pipeline.Begin(features => AnswerAsync(application, features));
        return listening?.StartAsync(application, cancellationToken) ?? Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) =>
        listening?.StopAsync(cancellationToken) ?? Task.CompletedTask;

    public void Dispose() => listening?.Dispose();

    private static async Task AnswerAsync<TContext>(IHttpApplication<TContext> application, IFeatureCollection features)
        where TContext : notnull
    {
        var context = application.CreateContext(features);
        Exception? fault = null;
        try
        {
            await application.ProcessRequestAsync(context);
        }
        catch (Exception thrown)
        {
            fault = thrown;
            throw;
        }
        finally
        {
            application.DisposeContext(context, fault);
        }
    }

    private static FeatureCollection NoAddresses()
    {
        var features = new FeatureCollection();
        features.Set<IServerAddressesFeature>(new ServerAddressesFeature());
        return features;
    }
}
