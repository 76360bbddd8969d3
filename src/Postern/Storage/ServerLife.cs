namespace Postern.Storage;

/// <summary>The clock of spans of time in this process, and when the server stops.</summary>
internal sealed record ServerLife(TimeProvider Clock, IHostApplicationLifetime Host)
{
    /// <summary>Cancelled when the server begins to stop.</summary>
    public CancellationToken Stopping => Host.ApplicationStopping;
}
