namespace Postern.Runs;

/// <summary>The meaning of a state for everybody who does not know the workflow.</summary>
internal static class Phase
{
    public const string Queued = "queued";
    public const string Running = "running";
    public const string Waiting = "waiting";
    public const string Paused = "paused";
    public const string Succeeded = "succeeded";
    public const string Failed = "failed";
    public const string Cancelled = "cancelled";
    public const string TimedOut = "timed_out";

    public static readonly string[] All = [Queued, Running, Waiting, Paused, Succeeded, Failed, Cancelled, TimedOut];

    public static bool IsTerminal(string phase) => phase is Succeeded or Failed or Cancelled or TimedOut;
}
