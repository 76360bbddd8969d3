namespace Postern.Storage;

/// <summary>The clock for spans of time in this process, and the signal that the server stops.</summary>
internal sealed record ServerLife(TimeProvider Clock, IHostApplicationLifetime Host)
{
    /// <summary>Cancelled when the server begins to stop.</summary>
    public CancellationToken Stopping => Host.ApplicationStopping;
}
