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

    /// <summary>The link that decides; null where the one who looks may not have it, or another service asks.</summary>
    public required string? Link { get; init; }

    /// <summary>Until when this person has set it aside; null when he has not.</summary>
    public required long? AsideUntil { get; init; }

    /// <summary>It can still be decided.</summary>
    public required bool IsOpen { get; init; }
}
