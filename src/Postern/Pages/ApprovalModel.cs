using Postern.Approvals;

namespace Postern.Pages;

/// <summary>One question, and whether the one who looks may decide it.</summary>
internal sealed record ApprovalModel
{
    public required Approval Approval { get; init; }

    /// <summary>The right was granted by its name; a right that is only implied is not enough.</summary>
    public required bool MayDecide { get; init; }

    /// <summary>He asked it himself, by this key or one that made it.</summary>
    public required bool AskedItself { get; init; }

    /// <summary>The page for one person, which decides; null where he may not have it, or another service asks.</summary>
    public required string? Link { get; init; }

    /// <summary>The run's other questions have other rounds: this is the one that it waits for.</summary>
    public required bool IsOpen { get; init; }
}
