namespace Postern.Relay.Plane;

/// <summary>What this server knows of an envelope when it is handed over.</summary>
internal abstract record EnvelopeTaken
{
    /// <summary>The envelope must be run. It is new, or the node that ran it has ended before it answered. </summary>
    /// <param name="IsBehind">One with a higher number of its lane came before it.</param>
    internal sealed record Fresh(bool IsBehind) : EnvelopeTaken;

    /// <summary>The envelope was answered before. The same answer is sent again.</summary>
    internal sealed record Answered(PlaneAnswer Answer) : EnvelopeTaken;

    /// <summary>The envelope was answered and settled, and the relay hands it over again.</summary>
    internal sealed record Settled(int Status) : EnvelopeTaken;

    /// <summary>
    /// The relay has reported the envelope as gone, or hands over other content under its id or number.
    /// </summary>
    internal sealed record Altered : EnvelopeTaken;
}
