namespace Postern.Runs;

/// <summary>
/// A state machine for runs, as data. A stored definition never changes: putting another under its name makes the next
/// version, and a run keeps the version that it started with. Version 0 is what the server itself defines.
///
/// Reports move a run along <see cref="WorkflowState.To"/>. What the server or an operator does to a run (a deadline, a
/// refused dispatch, a cancel, a retry) is beside the machine: it may always be done to a run that has not ended.
/// </summary>
internal sealed record Workflow(
    string Name,
    long Version,
    string Initial,
    IReadOnlyDictionary<string, WorkflowState> States,
    IReadOnlyList<Checkpoint> Checkpoints,
    IReadOnlyList<string> Immutable,
    IReadOnlyList<string> Mutable,
    IReadOnlyDictionary<string, long> Deadlines
)
{
    /// <summary>The built-in workflow: what a run is when nobody says otherwise.</summary>
    public static Workflow Agent { get; } =
        new(
            "agent",
            0,
            Phase.Queued,
            new Dictionary<string, WorkflowState>(StringComparer.Ordinal)
            {
                [Phase.Queued] = new(
                    Phase.Queued,
                    [Phase.Running, Phase.Failed, Phase.Cancelled, Phase.TimedOut],
                    false
                ),
                [Phase.Running] = new(
                    Phase.Running,
                    [Phase.Waiting, Phase.Paused, Phase.Succeeded, Phase.Failed, Phase.Cancelled, Phase.TimedOut],
                    true
                ),
                [Phase.Waiting] = new(
                    Phase.Waiting,
                    [Phase.Running, Phase.Failed, Phase.Cancelled, Phase.TimedOut],
                    false
                ),
                [Phase.Paused] = new(
                    Phase.Paused,
                    [Phase.Running, Phase.Failed, Phase.Cancelled, Phase.TimedOut],
                    false
                ),
                [Phase.Succeeded] = new(Phase.Succeeded, [], false),
                [Phase.Failed] = new(Phase.Failed, [], false),
                [Phase.Cancelled] = new(Phase.Cancelled, [], false),
                [Phase.TimedOut] = new(Phase.TimedOut, [], false),
            },
            [],
            [],
            [],
            new Dictionary<string, long>(StringComparer.Ordinal)
        );

    public bool IsAgent => Name == Agent.Name && Version == 0;

    /// <summary>True when it says which artifacts there are: then others are ignored.</summary>
    public bool ListsArtifacts => Immutable.Count + Mutable.Count > 0;

    public bool MayFollow(string from, string to) =>
        from == to ? States[from].Self : States[from].To.Contains(to, StringComparer.Ordinal);

    /// <summary>What a report may say next, sorted.</summary>
    public IReadOnlyList<string> AllowedAfter(string from) =>
        [.. States[from].To.Concat(States[from].Self ? [from] : []).Order(StringComparer.Ordinal)];

    /// <summary>
    /// The state that the server puts a run into when it ends it in a phase: the workflow's own of that phase, else its
    /// failed one, else any terminal one. The phase is kept beside it, so that a timed out run shows as that in a
    /// workflow without such a state.
    /// </summary>
    public string StateToEndIn(string phase) =>
        States.Where(s => s.Value.Phase == phase).Select(s => s.Key).FirstOrDefault()
        ?? States.Where(s => s.Value.Phase == Phase.Failed).Select(s => s.Key).FirstOrDefault()
        ?? States.First(s => Phase.IsTerminal(s.Value.Phase)).Key;

    /// <summary>The first exit of a state into a phase; null when there is none.</summary>
    public string? ExitInto(string from, string phase) =>
        States[from].To.FirstOrDefault(to => States[to].Phase == phase);
}
