namespace Postern.Runs;

/// <param name="Phase">One of <see cref="Runs.Phase"/>.</param>
/// <param name="To">The states that a report may move to from here.</param>
/// <param name="Self">Whether a report may repeat the state: progress, without a change.</param>
internal sealed record WorkflowState(string Phase, IReadOnlyList<string> To, bool Self);
