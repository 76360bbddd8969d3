using Postern.Http;

namespace Postern.Approvals;

/// <summary>The conditions of a list of approvals. An empty list is no condition.</summary>
internal sealed record ApprovalFilter(
    IReadOnlyList<string> Statuses,
    IReadOnlyList<string> Agents,
    IReadOnlyList<string> Runs,
    IReadOnlyList<string> Sessions,
    IReadOnlyList<string> Services,
    long? From,
    long? To,
    Cursor? After,
    bool WithInternal = false
)
{
    /// <summary>A text in the title or in the person's words.</summary>
    public string? Text { get; init; }

    /// <summary>The person whose questions set aside are left out; null: all are listed.</summary>
    public string? Person { get; init; }

    /// <summary>
    /// Orders pending questions by their expiry, the soonest first. False: by their age, the oldest first.
    /// </summary>
    public bool SoonestFirst { get; init; }
}
