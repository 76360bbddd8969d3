namespace Postern.Approvals;

/// <summary>A person is asked by a link of this server.</summary>
internal sealed record QuestionAsked(Approval Approval);
