using Postern.Runs;

namespace Postern.Pages;

/// <summary>One workflow.</summary>
/// <param name="Definition">As it was put, JSON.</param>
/// <param name="CreatedAt">When this version was made, microseconds; 0: it is built in.</param>
/// <param name="Picture">Null where it has more states than can be drawn.</param>
internal sealed record WorkflowModel(Workflow Workflow, string Definition, long CreatedAt, WorkflowPicture? Picture);
