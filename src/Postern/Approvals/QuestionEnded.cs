namespace Postern.Approvals;

/// <summary>
/// A question that a person was asked by a link has ended: it was decided, has expired, or its run ended.
/// </summary>
internal sealed record QuestionEnded(Approval Approval);
