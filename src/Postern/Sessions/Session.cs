using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// A durable conversation between clients and one agent: the channels <c>in</c> and <c>out</c>, and a transcript.
///
/// What always holds: the row and its first run are made in one transaction; the sequence numbers of a channel are dense from 0,
/// those of the transcript from 1; a closed or expired session takes no record and never opens again. Every change locks the
/// session's row first, so appends, closes, turns and creates of one session are put in one order on any number of nodes. A crash
/// between two of them leaves the state after the first.
/// </summary>
/// <param name="TriggerConfig">JSON text as it came; null for a session that a message created.</param>
/// <param name="CurrentRun">The live run, if any.</param>
/// <param name="CurrentAttempt">The attempt of that run.</param>
/// <param name="InMessageSeq">The last record on <c>in</c> that asks for an answer; -1 when none.</param>
/// <param name="InAnsweredSeq">The last of them that a turn has answered.</param>
/// <param name="StopSeq">The last record on <c>in</c> that asked the run to stop; -1 when none.</param>
/// <param name="OutSettled">The last record on <c>out</c> is a turn-complete.</param>
/// <param name="TurnDeadline">When the open turn must have ended; null when no turn is open.</param>
/// <param name="TurnSeconds">How long the open turn may go without a record of its agent.</param>
/// <param name="TurnInSeq">The last message that the open turn answers.</param>
/// <param name="TurnOutSeq">The first record on <c>out</c> of the open turn.</param>
internal sealed record Session(
    string Project, string Id, string? ExternalId, string Key, string Type, string Agent,
    string? TriggerConfig, string Tags, string? Metadata,
    long CreatedAt, long UpdatedAt, long? ExpiresAt, long? ClosedAt, string? ClosedReason, string? CurrentRun, long CurrentAttempt,
    long InNext, long OutNext, long MessageNext, long InMessageSeq, long InAnsweredSeq, long StopSeq,
    bool OutSettled, long? RunWantedUntil, long? TurnDeadline, long TurnSeconds, long TurnInSeq, long TurnOutSeq)
{
    public const string Prefix = "session";
    public const int MaxExternalId = 256;

    /// <summary>How clients name it: the external id where there is one.</summary>
    public string Name => ExternalId ?? Id;

    public bool IsClosed => ClosedAt is not null;

    public bool IsExpired(long now) => !IsClosed && ExpiresAt <= now;

    /// <summary>Messages wait for an answer that no turn has given.</summary>
    public bool HasUnanswered => InMessageSeq > InAnsweredSeq;

    public bool TurnIsOpen => TurnDeadline is not null;

    /// <summary>Somebody has asked the open turn to stop. A stop that came before the turn's messages was for an earlier one.</summary>
    public bool StopIsAsked => TurnIsOpen && StopSeq > TurnInSeq;

    public string Status(long now) => IsClosed ? "CLOSED" : IsExpired(now) ? "EXPIRED" : "ACTIVE";

    public static string KeyOf(string agent, string rest) => $"agent:{agent.ToLowerInvariant()}:{rest}";

    /// <summary>A name that a client may choose: 1 to 256 characters, not one of ours.</summary>
    public static string? WhatIsWrongWith(string externalId)
    {
        if (externalId.Length is 0 or > MaxExternalId) return $"must have 1 to {MaxExternalId} characters";
        if (externalId.StartsWith(Prefix + "_", StringComparison.Ordinal)) return "must not start with session_";
        if (externalId.Contains(":channels:", StringComparison.Ordinal)) return "must not contain :channels:";
        return externalId.Any(char.IsControl) ? "must not contain control characters" : null;
    }
}

/// <summary>What never changes about a session: enough to decide who may do what with it, without its row.</summary>
internal sealed record SessionName(string Project, string Id, string? ExternalId, string Agent, string Key);
