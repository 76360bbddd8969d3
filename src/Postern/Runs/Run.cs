namespace Postern.Runs;

/// <summary>
/// One unit of agent work. A session's run takes the session's turns one after another, stays for an idle window after each, and
/// then ends; the next message makes a continuation of it.
///
/// What always holds: an ended run never moves again; every live run has a deadline (<see cref="DeadlineAt"/>, and the turn's on
/// its session) that the <c>RunReaper</c> enforces. Work that is due carries <see cref="DueAt"/> until it is done: a node that dies holding
/// the lease loses it, and another takes the run up where its records say it stood.
/// </summary>
internal sealed record Run(
    string Project, string Id, string Agent, string? Session, string Status, string? Reason, long Attempt,
    byte[]? Input, bool BootMessage, bool Continuation, string? PreviousRun,
    long CreatedAt, long? StartedAt, long? EndedAt, long DeadlineAt, long? DueAt, long LeaseNo, long Tries, long IdleSeconds)
{
    public bool IsEnded => EndedAt is not null;
}

/// <summary>The states of the built-in workflow <c>agent</c>, and which of them follow one another.</summary>
internal static class RunStatus
{
    public const string Queued = "queued";
    public const string Running = "running";
    public const string Waiting = "waiting";
    public const string Paused = "paused";
    public const string Succeeded = "succeeded";
    public const string Failed = "failed";
    public const string Cancelled = "cancelled";
    public const string TimedOut = "timed_out";

    public static bool IsTerminal(string status) => status is Succeeded or Failed or Cancelled or TimedOut;

    public static bool MayFollow(string from, string to) => (from, to) switch
    {
        (Queued, Running or Failed or Cancelled or TimedOut) => true,
        (Running, Waiting or Paused or Succeeded or Failed or Cancelled or TimedOut) => true,
        (Waiting, Running or Failed or Cancelled or TimedOut) => true,
        (Paused, Running or Failed or Cancelled or TimedOut) => true,
        _ => false,
    };
}
