namespace Postern.Approvals;

/// <summary>The ways in which a question can end.</summary>
internal static class Decision
{
    public const string Approved = "approved";
    public const string Rejected = "rejected";
    public const string RequestChanges = "request_changes";
    public const string Expired = "expired";

    /// <summary>The run ended during the question; nobody makes this decision.</summary>
    public const string Cancelled = "cancelled";

    public static readonly string[] Statuses =
    [
        Approval.Pending,
        Approved,
        Rejected,
        RequestChanges,
        Expired,
        Cancelled,
    ];

    /// <summary>Returns the decision that a word means, or null. Only the words of this list approve.</summary>
    public static string? Of(string word) =>
        word.Trim().ToLowerInvariant() switch
        {
            "approved" or "approve" or "continue" or "confirm" => Approved,
            "rejected" or "reject" or "deny" or "abort" or "cancel" => Rejected,
            "request_changes" => RequestChanges,
            "expired" => Expired,
            _ => null,
        };

    /// <summary>Returns whether the run may not do what it asked for.</summary>
    public static bool Refuses(string decision) => decision is Rejected or Expired;
}
