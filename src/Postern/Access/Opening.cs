namespace Postern.Access;

/// <summary>Whether a door opens to a credential, with the reason when it does not.</summary>
/// <param name="Word">
/// <c>opens</c>, <c>some</c> (for some things), <c>asks</c> (of the thing itself) or <c>closed</c>.
/// </param>
/// <param name="Why">What is missing, or what is asked; empty where it opens.</param>
internal readonly record struct Opening(string Word, string Why)
{
    public const string Opens = "opens";
    public const string Some = "some";
    public const string Asks = "asks";
    public const string Closed = "closed";
}
