namespace Postern.Approvals;

/// <summary>Says how a question ended, in a sentence for the person who was asked.</summary>
internal static class OutcomeWords
{
    /// <param name="approval">A question that has ended.</param>
    /// <param name="outcome">Its outcome: of one whose time is over, expired before the server has written it.</param>
    public static string Of(Approval approval, string outcome) =>
        outcome switch
        {
            Decision.Approved => $"Approved {By(approval)}.",
            Decision.Rejected => $"Rejected {By(approval)}.",
            Decision.RequestChanges => $"Changes were requested {By(approval)}.",
            Decision.Expired => "Nobody answered in time: it expired.",
            _ => "The work was ended before anybody answered.",
        };

    private static string By(Approval approval) =>
        approval.DecidedWith switch
        {
            "link" => "on this page",
            "service" => $"through the approval service {Visible.Text(approval.DecidedBy ?? "")}",
            "server" => "by the server",
            var with => $"with the {with} {Visible.Text(approval.DecidedBy ?? "")}",
        };
}
