namespace Postern.Relay.Server;

/// <summary>The result of storing a request.</summary>
internal abstract record StoreOutcome
{
    /// <summary>It is on disk.</summary>
    /// <param name="Receipt">The relay's word for it, signed.</param>
    internal sealed record Stored(long Seq, string Id, string Receipt) : StoreOutcome;

    /// <summary>The backlog has no room for it.</summary>
    internal sealed record Full : StoreOutcome;

    /// <summary>The plane was revoked meanwhile.</summary>
    internal sealed record NoPlane : StoreOutcome;
}
