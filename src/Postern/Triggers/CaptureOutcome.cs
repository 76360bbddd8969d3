namespace Postern.Triggers;

/// <summary>The outcome of a request: exactly one of these.</summary>
internal abstract record CaptureOutcome
{
    internal sealed record Taken(string Id) : CaptureOutcome;

    internal sealed record Duplicate(string Id) : CaptureOutcome;

    internal sealed record FilteredOut(string Id) : CaptureOutcome;

    internal sealed record Full : CaptureOutcome;
}
