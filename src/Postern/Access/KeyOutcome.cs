using Postern.Http;

namespace Postern.Access;

/// <summary>The outcome of a change of a key.</summary>
internal abstract record KeyOutcome
{
    internal sealed record Rotated(ApiKey Key, long PreviousUntil) : KeyOutcome;

    internal sealed record Updated(KeyRow Row) : KeyOutcome;

    /// <summary>The caller may not make it.</summary>
    internal sealed record Refused(Refusal Why) : KeyOutcome;

    internal sealed record Gone : KeyOutcome;
}
