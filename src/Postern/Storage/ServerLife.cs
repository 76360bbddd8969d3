namespace Postern.Storage;

/// <summary>What the work of this process lives by: the clock of its spans of time, and when the server stops.</summary>
internal sealed record ServerLife(TimeProvider Clock, IHostApplicationLifetime Host)
{
    /// <summary>Cancelled when the server begins to stop.</summary>
    public CancellationToken Stopping => Host.ApplicationStopping;
}
