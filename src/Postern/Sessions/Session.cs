using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// A durable conversation between clients and one agent: the channels <c>in</c> and <c>out</c>, and a transcript.
///
/// The row and its first run are made in one transaction. The sequence numbers of a channel are dense from 0, those of
/// the transcript from 1. A closed or expired session accepts no record and never opens again. Every change locks the
/// session's row first, so appends, closes, turns and creates of one session have one order on any number of nodes.
/// After a crash between two changes, the first one is complete.
/// </summary>
internal sealed record Session
{
    [Column("project")]
    public required string Project { get; init; }

    [Column("id")]
    public required string Id { get; init; }

    [Column("external_id")]
    public string? ExternalId { get; init; }

    [Column("session_key")]
    public required string Key { get; init; }

    [Column("type")]
    public required string Type { get; init; }

    [Column("agent")]
    public required string Agent { get; init; }

    /// <summary>The JSON text as it came; null for a session that a message created.</summary>
    [Column("trigger_config", Changes = true)]
    public string? TriggerConfig { get; init; }

    [Column("tags", Changes = true)]
    public string Tags { get; init; } = "[]";

    [Column("metadata", Changes = true)]
    public string? Metadata { get; init; }

    [Column("created_at")]
    public required long CreatedAt { get; init; }

    [Column("updated_at", Changes = true)]
    public required long UpdatedAt { get; init; }

    [Column("expires_at", Changes = true)]
    public long? ExpiresAt { get; init; }

    [Column("closed_at")]
    public long? ClosedAt { get; init; }

    [Column("closed_reason")]
    public string? ClosedReason { get; init; }

    /// <summary>The live run, if any.</summary>
    [Column("current_run")]
    public string? CurrentRun { get; init; }

    /// <summary>The attempt of that run.</summary>
    [Column("current_attempt")]
    public long CurrentAttempt { get; init; } = 1;

    [Column("in_next")]
    public long InNext { get; init; }

    [Column("out_next")]
    public long OutNext { get; init; }

    [Column("message_next")]
    public long MessageNext { get; init; } = 1;

    /// <summary>The number of the last record on <c>in</c> that asks for an answer; -1 when there is none.</summary>
    [Column("in_message_seq")]
    public long InMessageSeq { get; init; } = -1;

    /// <summary>The number of the last such record that a turn has answered.</summary>
    [Column("in_answered_seq")]
    public long InAnsweredSeq { get; init; } = -1;

    /// <summary>The number of the last record on <c>in</c> that asked the run to stop; -1 when there is none.</summary>
    [Column("stop_seq")]
    public long StopSeq { get; init; } = -1;

    /// <summary>Whether the last record on <c>out</c> is a turn-complete.</summary>
    [Column("out_settled")]
    public bool OutSettled { get; init; }

    [Column("run_wanted_until")]
    public long? RunWantedUntil { get; init; }

    /// <summary>The deadline of the open turn; null when no turn is open.</summary>
    [Column("turn_deadline")]
    public long? TurnDeadline { get; init; }

    /// <summary>How long the open turn may go without a record of its agent.</summary>
    [Column("turn_seconds")]
    public long TurnSeconds { get; init; }

    /// <summary>The last message that the open turn answers.</summary>
    [Column("turn_in_seq")]
    public long TurnInSeq { get; init; } = -1;

    /// <summary>The first record on <c>out</c> of the open turn.</summary>
    [Column("turn_out_seq")]
    public long TurnOutSeq { get; init; }

    /// <summary>The bytes of the records of all its channels.</summary>
    [Column("bytes")]
    public long Bytes { get; init; }

    public const string Prefix = "session";
    public const int MaxExternalId = 256;
    private const int MaxTriggerName = 1000;

    /// <summary>The prefix of the names of triggers' sessions.</summary>
    public const string TriggerPrefix = "trg_";

    /// <summary>Prefixes with a meaning: a session's id, a key of history, a trigger's session.</summary>
    private static readonly string[] Taken = [Prefix + "_", "agent:", TriggerPrefix];

    /// <summary>The name that clients use: the external id, if there is one.</summary>
    public string Name => ExternalId ?? Id;

    /// <summary>Whether it takes captured requests. Only the server gives such names.</summary>
    public bool IsOfTrigger => ExternalId?.StartsWith(TriggerPrefix, StringComparison.Ordinal) == true;

    /// <summary>
    /// The trigger that made it, as scopes name it; null when none did, or when the metadata no longer contain it.
    /// </summary>
    public string? TriggerName
    {
        get
        {
            if (!IsOfTrigger || Metadata is null)
                return null;
            using var json = JsonDocument.Parse(Metadata, Wire.Kept);
            return
                json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("trigger", out var name)
                && name.ValueKind == JsonValueKind.String
                && JsonText.Of(name) is { Length: > 0 and <= MaxTriggerName } text
                ? text
                : null;
        }
    }

    public bool IsClosed => ClosedAt is not null;

    public bool IsExpired(long now) => !IsClosed && ExpiresAt <= now;

    /// <summary>Whether messages wait that no turn has answered.</summary>
    public bool HasUnanswered => InMessageSeq > InAnsweredSeq;

    public bool TurnIsOpen => TurnDeadline is not null;

    /// <summary>
    /// Whether somebody has asked the open turn to stop. A stop before the turn's messages was for an earlier turn.
    /// </summary>
    public bool StopIsAsked => TurnIsOpen && StopSeq > TurnInSeq;

    /// <summary>
    /// Whether nothing more comes: it was closed, or has expired and the keeper has written its last entries.
    /// </summary>
    public bool IsOver(long now) => IsClosed || (IsExpired(now) && ClosedReason is not null);

    /// <summary>The statuses for a list. An idle session is an active one without a run.</summary>
    public static readonly string[] Statuses = ["ACTIVE", "CLOSED", "EXPIRED", "IDLE"];

    public string Status(long now) =>
        IsClosed ? "CLOSED"
        : IsExpired(now) ? "EXPIRED"
        : "ACTIVE";

    /// <summary>
    /// The prefixes of external ids of internal sessions, which the platform keeps for itself: visible with full
    /// <c>admin</c>, and to the run that has them.
    /// </summary>
    public static bool IsInternal(string name) =>
        InternalPrefixes.Any(p => name.StartsWith(p, StringComparison.Ordinal));

    public static readonly string[] InternalPrefixes = ["subagent:", "cron:", "acp:"];

    public static string KeyOf(string agent, string rest) => $"agent:{agent.ToLowerInvariant()}:{rest}";

    /// <summary>
    /// Checks a name that a client has chosen: 1 to 256 characters, not one of the server's own, and usable in every
    /// path.
    /// </summary>
    public static string? Validate(string externalId)
    {
        if (externalId.Length is 0 or > MaxExternalId)
            return $"must have 1 to {MaxExternalId} characters";
        if (Taken.FirstOrDefault(t => externalId.StartsWith(t, StringComparison.OrdinalIgnoreCase)) is { } taken)
            return $"must not start with {taken}";
        if (externalId is "." or "..")
            return "must not be . or ..";
        if (
            externalId.Any(c => char.IsWhiteSpace(c) && c != ' ')
            || externalId.Contains("  ", StringComparison.Ordinal)
            || externalId.Trim() != externalId
        )
            return "must not contain white space but single spaces inside";
        if (externalId.Contains(":channels:", StringComparison.Ordinal))
            return "must not contain :channels:";
        if (externalId.Contains('\uFFFD', StringComparison.Ordinal))
            return "must not contain U+FFFD, which stands for what was no text";
        return externalId.Any(char.IsControl) ? "must not contain control characters" : null;
    }
}
