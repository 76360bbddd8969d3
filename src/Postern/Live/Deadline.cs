namespace Postern.Live;

/// <summary>The end of a span of time that begins now, by the monotonic clock.</summary>
internal sealed class Deadline(TimeProvider clock, TimeSpan time)
{
    private readonly long _began = clock.GetTimestamp();

    /// <summary>The time that is left; negative when it is over.</summary>
    public TimeSpan Left => time - clock.GetElapsedTime(_began);
}
