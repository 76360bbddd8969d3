using Postern.Approvals;

namespace Postern.Pages;

/// <summary>The playground's decision: the form for a question, or one question that was asked there.</summary>
internal sealed record DecisionModel
{
    /// <summary>The agents that this server does not call: no agent must hear of the console's run.</summary>
    public required IReadOnlyList<string> Agents { get; init; }

    /// <summary>The names of the approval services, if the person may know them; else the default one.</summary>
    public required IReadOnlyList<string> Services { get; init; }

    /// <summary>The question; null before one was asked.</summary>
    public Approval? Asked { get; init; }

    /// <summary>Whether it can still be decided.</summary>
    public bool IsOpen { get; init; }

    /// <summary>
    /// Whether there is an approval service with its name. Without one, nobody outside can decide it.
    /// </summary>
    public bool HasService { get; init; }

    /// <summary>The statuses of the last test's answers; empty when none was sent.</summary>
    public IReadOnlyList<int> Sent { get; init; } = [];

    /// <summary>The JSON that a waiting agent reads.</summary>
    public string Status { get; init; } = "";

    /// <summary>The JSON that a called agent is sent; null while nothing is decided.</summary>
    public string? Delivery { get; init; }
}
