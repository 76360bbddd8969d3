using Postern.Http;

namespace Postern.Bulk;

/// <summary>The reason for skipping an item.</summary>
/// <param name="Code">Stable.</param>
/// <param name="Message">For people.</param>
internal sealed record Skip(string Code, string Message)
{
    private const int MaxWords = 300;

    /// <summary>The filter no longer matches it, or it is gone.</summary>
    public static Skip Changed { get; } = new("no_longer_matches", "The filter does not find it any more.");

    /// <summary>A fault of this server.</summary>
    public static Skip Broken { get; } = new("internal_error", "This server could not do it; its log says why.");

    /// <summary>Its row was locked for as long as a job waits.</summary>
    public static Skip Held { get; } = new("held", "Others held it for 10 minutes.");

    /// <summary>The refusal of the single action.</summary>
    public static Skip Of(Refusal refusal) => new(refusal.Code ?? "refused", Wire.Cut(refusal.Message, MaxWords));
}
