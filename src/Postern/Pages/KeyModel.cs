using Postern.Access;

namespace Postern.Pages;

/// <summary>One key, and what is known of its use.</summary>
internal sealed record KeyModel
{
    public required KeyRow Key { get; init; }

    /// <summary>The addresses from which it was used, the last first.</summary>
    public required IReadOnlyList<(string Address, long FirstAt, long LastAt)> Addresses { get; init; }

    /// <summary>Its sessions of the console, newest first, including those that have ended.</summary>
    public required IReadOnlyList<ConsoleSession> Sessions { get; init; }

    public required IReadOnlyList<AuditEntry> Did { get; init; }

    public required IReadOnlyList<AuditEntry> Decided { get; init; }

    public required IReadOnlyList<AuditEntry> Minted { get; init; }

    /// <summary>The streams and waits that ended with it.</summary>
    public required IReadOnlyList<AuditEntry> Ended { get; init; }

    /// <summary>Ids of the runs that it started, newest first.</summary>
    public required IReadOnlyList<string> Runs { get; init; }
}
