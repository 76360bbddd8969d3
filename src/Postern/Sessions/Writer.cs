namespace Postern.Sessions;

/// <summary>The author of an append, on which the rules of the channels depend.</summary>
/// <param name="Run">The run whose own token it is; null for a key or a client's token.</param>
/// <param name="Attempt">The attempt of that run.</param>
/// <param name="Person">Set for a person's command-line client, whose place in <c>out</c> is kept for it.</param>
internal sealed record Writer(string? Run = null, string? Person = null, long Attempt = 1)
{
    public static Writer Server { get; } = new();
}
