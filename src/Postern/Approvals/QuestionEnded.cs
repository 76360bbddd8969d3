namespace Postern.Approvals;

/// <summary>A question with a link of this server has ended: it was decided, has expired, or its run ended.</summary>
internal sealed record QuestionEnded(Approval Approval);
