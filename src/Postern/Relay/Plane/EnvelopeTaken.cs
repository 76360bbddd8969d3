namespace Postern.Relay.Plane;

/// <summary>What is known of an envelope when it is handed over.</summary>
internal abstract record EnvelopeTaken
{
    /// <summary>It is to be run: it is new, or whoever ran it has gone before it answered.</summary>
    /// <param name="IsBehind">One with a higher number of its lane came before it.</param>
    internal sealed record Fresh(bool IsBehind) : EnvelopeTaken;

    /// <summary>It was answered: the same again.</summary>
    internal sealed record Answered(PlaneAnswer Answer) : EnvelopeTaken;

    /// <summary>It was answered and settled, and is handed over all the same.</summary>
    internal sealed record Settled(int Status) : EnvelopeTaken;

    /// <summary>The relay has said that it is gone, or hands over something else under its id or number.</summary>
    internal sealed record Altered : EnvelopeTaken;
}
