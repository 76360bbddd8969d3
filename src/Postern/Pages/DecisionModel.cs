using Postern.Approvals;

namespace Postern.Pages;

/// <summary>The playground's decision: what may be asked, or one question that was asked there.</summary>
internal sealed record DecisionModel
{
    /// <summary>Agents that are not called, so that none hears of a run that is nobody's.</summary>
    public required IReadOnlyList<string> Agents { get; init; }

    /// <summary>The names of the approval services, for whoever may know them; else the default one.</summary>
    public required IReadOnlyList<string> Services { get; init; }

    /// <summary>The question; null while none was asked.</summary>
    public Approval? Asked { get; init; }

    /// <summary>Whether it can still be decided.</summary>
    public bool IsOpen { get; init; }

    /// <summary>Whether there is an approval service with its name: without one, nobody outside decides it.</summary>
    public bool HasService { get; init; }

    /// <summary>The statuses that the last test was answered; empty where none was sent.</summary>
    public IReadOnlyList<int> Sent { get; init; } = [];

    /// <summary>What an agent that waits reads, JSON.</summary>
    public string Status { get; init; } = "";

    /// <summary>What an agent that is called is sent, JSON; null while nothing is decided.</summary>
    public string? Delivery { get; init; }
}
