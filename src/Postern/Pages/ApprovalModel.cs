using Postern.Approvals;

namespace Postern.Pages;

/// <summary>One question, and whether the signed-in person may decide it.</summary>
internal sealed record ApprovalModel
{
    public required Approval Approval { get; init; }

    /// <summary>Whether the right was granted by its name. A right that is only implied is not enough.</summary>
    public required bool MayDecide { get; init; }

    /// <summary>Whether this person asked it, with this key or with a key that made it.</summary>
    public required bool AskedItself { get; init; }

    /// <summary>The link that decides; null when this person may not have it, or when another service asks.</summary>
    public required string? Link { get; init; }

    /// <summary>Until when this person has set it aside; null when it is not set aside.</summary>
    public required long? AsideUntil { get; init; }

    /// <summary>Its run has asked more than this.</summary>
    public required bool HasOtherRounds { get; init; }

    /// <summary>Whether it can still be decided.</summary>
    public required bool IsOpen { get; init; }
}
