using System.Collections.Concurrent;
using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>What a state means to everyone who does not know the workflow.</summary>
internal static class Phase
{
    public const string Queued = "queued";
    public const string Running = "running";
    public const string Waiting = "waiting";
    public const string Paused = "paused";
    public const string Succeeded = "succeeded";
    public const string Failed = "failed";
    public const string Cancelled = "cancelled";
    public const string TimedOut = "timed_out";

    public static readonly string[] All = [Queued, Running, Waiting, Paused, Succeeded, Failed, Cancelled, TimedOut];

    public static bool IsTerminal(string phase) => phase is Succeeded or Failed or Cancelled or TimedOut;
}

/// <param name="Phase">One of <see cref="Runs.Phase"/>.</param>
/// <param name="To">The states that a report may move to from here.</param>
/// <param name="Self">Whether a report may repeat the state: progress, without a change.</param>
internal sealed record WorkflowState(string Phase, IReadOnlyList<string> To, bool Self);

/// <param name="State">Where a retry may begin again.</param>
/// <param name="Artifact">The artifact that proves that the work up to there was done.</param>
internal sealed record Checkpoint(
    [Text("The state.", 1, 64)] string State,
    [Text("The artifact that must be there.", 1, 128)] string Artifact);

/// <summary>
/// A state machine for runs, as data. A stored definition never changes: putting another under its name makes the next version,
/// and a run keeps the version that it started with. Version 0 is what the server itself defines.
///
/// Reports move a run along <see cref="WorkflowState.To"/>. What the server or an operator does to a run (a deadline, a refused
/// dispatch, a cancel, a retry) is beside the machine: it may always be done to a run that has not ended.
/// </summary>
internal sealed record Workflow(
    string Name, long Version, string Initial, IReadOnlyDictionary<string, WorkflowState> States,
    IReadOnlyList<Checkpoint> Checkpoints, IReadOnlyList<string> Immutable, IReadOnlyList<string> Mutable, IReadOnlyDictionary<string, long> Deadlines)
{
    /// <summary>The built-in workflow: what a run is when nobody says otherwise.</summary>
    public static Workflow Agent { get; } = new(
        "agent", 0, Phase.Queued,
        new Dictionary<string, WorkflowState>(StringComparer.Ordinal)
        {
            [Phase.Queued] = new(Phase.Queued, [Phase.Running, Phase.Failed, Phase.Cancelled, Phase.TimedOut], false),
            [Phase.Running] = new(Phase.Running, [Phase.Waiting, Phase.Paused, Phase.Succeeded, Phase.Failed, Phase.Cancelled, Phase.TimedOut], true),
            [Phase.Waiting] = new(Phase.Waiting, [Phase.Running, Phase.Failed, Phase.Cancelled, Phase.TimedOut], false),
            [Phase.Paused] = new(Phase.Paused, [Phase.Running, Phase.Failed, Phase.Cancelled, Phase.TimedOut], false),
            [Phase.Succeeded] = new(Phase.Succeeded, [], false),
            [Phase.Failed] = new(Phase.Failed, [], false),
            [Phase.Cancelled] = new(Phase.Cancelled, [], false),
            [Phase.TimedOut] = new(Phase.TimedOut, [], false),
        },
        [], [], [], new Dictionary<string, long>(StringComparer.Ordinal));

    public bool IsAgent => Name == Agent.Name && Version == 0;

    /// <summary>Whether it says which artifacts there are: then others are ignored.</summary>
    public bool ListsArtifacts => Immutable.Count + Mutable.Count > 0;

    public bool MayFollow(string from, string to) => from == to ? States[from].Self : States[from].To.Contains(to, StringComparer.Ordinal);

    /// <summary>What a report may say next, sorted.</summary>
    public IReadOnlyList<string> AllowedAfter(string from) => [.. States[from].To.Concat(States[from].Self ? [from] : []).Order(StringComparer.Ordinal)];

    /// <summary>
    /// The state that the server puts a run into when it ends it in a phase: the workflow's own of that phase, else its failed one, else
    /// any terminal one. The phase is kept beside it, so that a timed out run shows as that in a workflow without such a state.
    /// </summary>
    public string StateToEndIn(string phase) =>
        States.Where(s => s.Value.Phase == phase).Select(s => s.Key).FirstOrDefault()
        ?? States.Where(s => s.Value.Phase == Phase.Failed).Select(s => s.Key).FirstOrDefault()
        ?? States.First(s => Phase.IsTerminal(s.Value.Phase)).Key;

    /// <summary>The first exit of a state into a phase; null when there is none.</summary>
    public string? ExitInto(string from, string phase) => States[from].To.FirstOrDefault(to => States[to].Phase == phase);
}

/// <summary>The definitions' rows. A version never changes, so what was read once is kept.</summary>
internal sealed class WorkflowStore(Database database)
{
    private const int Kept = 1000;
    private readonly ConcurrentDictionary<(string, string, long), Workflow> _kept = new();

    /// <summary>The version that a run was started with.</summary>
    public async ValueTask<Workflow> OfAsync(Tx tx, Run run)
    {
        if (run.WorkflowVersion == 0) return Workflow.Agent;
        if (_kept.TryGetValue((run.Project, run.Workflow, run.WorkflowVersion), out var workflow)) return workflow;
        var text = await tx.FirstAsync("SELECT definition FROM workflow WHERE project = $1 AND name = $2 AND version = $3", r => r.GetString(0), run.Project, run.Workflow, run.WorkflowVersion)
            ?? throw new InvalidOperationException($"The definition of {run.Workflow} {run.WorkflowVersion} is gone, but {run.Id} runs by it.");
        return Keep(run.Project, WorkflowText.Read(run.Workflow, run.WorkflowVersion, text));
    }

    public ValueTask<Workflow> OfAsync(Run run) =>
        run.WorkflowVersion == 0 ? new(Workflow.Agent) : database.ReadAsync(tx => OfAsync(tx, run));

    /// <summary>The newest version, or null.</summary>
    public static async ValueTask<(Workflow Workflow, string Text, long CreatedAt)?> NewestAsync(Tx tx, string project, string name)
    {
        if (name == Workflow.Agent.Name) return (Workflow.Agent, WorkflowText.Write(Workflow.Agent), 0);
        return await tx.FirstAsync<(Workflow, string, long)?>(
            "SELECT version, definition, created_at FROM workflow WHERE project = $1 AND name = $2 ORDER BY version DESC LIMIT 1",
            r => (WorkflowText.Read(name, r.GetInt64(0), r.GetString(1)), r.GetString(1), r.GetInt64(2)), project, name);
    }

    /// <summary>
    /// The newest version, for a run that is made of it in this transaction: a put that comes meanwhile does not delete
    /// it before the run is there.
    /// </summary>
    public static async ValueTask<Workflow?> ChooseNewestAsync(Tx tx, string project, string name)
    {
        while (true)
        {
            if (await NewestAsync(tx, project, name) is not { } newest) return null;
            if (newest.Workflow.IsAgent) return newest.Workflow;
            var isThere = await tx.FirstAsync(
                $"SELECT 1 FROM workflow WHERE project = $1 AND name = $2 AND version = $3{tx.ForKeyShare}",
                r => r.GetInt64(0), project, name, newest.Workflow.Version);
            // Else it was deleted just now, behind a newer one.
            if (isThere == 1) return newest.Workflow;
        }
    }

    public ValueTask<(Workflow Workflow, string Text, long CreatedAt)?> NewestAsync(string project, string name) => database.ReadAsync(tx => NewestAsync(tx, project, name));

    public ValueTask<List<(string Name, long Version, string Text, long CreatedAt)>> ListAsync(string project, string after, int limit) =>
        database.ReadAsync(tx => tx.ListAsync(
            """
            SELECT name, version, definition, created_at FROM workflow w WHERE project = $1 AND name > $2
              AND version = (SELECT MAX(version) FROM workflow n WHERE n.project = w.project AND n.name = w.name) ORDER BY name LIMIT $3
            """, r => (r.GetString(0), r.GetInt64(1), r.GetString(2), r.GetInt64(3)), project, after, limit));

    /// <summary>The next version of a name; the present one when it says the same. Versions that no run keeps are gone with it. Of puts at once each makes its own.</summary>
    public async Task<(long Version, bool IsNew, long CreatedAt)> PutAsync(string project, Workflow workflow) =>
        await database.WriteAsync(async tx =>
        {
            // The project's row orders the puts of its workflows.
            await tx.FirstAsync($"SELECT id FROM project WHERE id = $1{tx.ForUpdate}", r => r.GetString(0), project);
            var text = WorkflowText.Write(workflow);
            var newest = await NewestAsync(tx, project, workflow.Name);
            if (newest is { } same && same.Text == text) return (same.Workflow.Version, false, same.CreatedAt);
            var version = (newest?.Workflow.Version ?? 0) + 1;
            // One under this number may have been read in a transaction that came to nothing.
            _kept.TryRemove((project, workflow.Name, version), out _);
            await tx.ExecuteAsync("INSERT INTO workflow (project, name, version, definition, created_at) VALUES ($1, $2, $3, $4, $5)", project, workflow.Name, version, text, tx.Now);
            // One may be chosen by a run that is being created in this moment: those are waited for, and seen by the
            // statement after this one. The version before this one stays.
            await tx.ListAsync(
                $"SELECT version FROM workflow WHERE project = $1 AND name = $2 AND version < $3{tx.ForUpdate}",
                r => r.GetInt64(0), project, workflow.Name, version - 1);
            await tx.ExecuteAsync(
                """
                DELETE FROM workflow WHERE project = $1 AND name = $2 AND version < $3
                  AND NOT EXISTS (SELECT 1 FROM run WHERE run.project = workflow.project AND run.workflow = workflow.name AND run.workflow_version = workflow.version)
                """, project, workflow.Name, version - 1);
            return (version, newest is null, tx.Now);
        });

    private Workflow Keep(string project, Workflow workflow)
    {
        // A bound, not a policy: when it is reached everyone is looked up once more.
        if (_kept.Count >= Kept) _kept.Clear();
        return _kept[(project, workflow.Name, workflow.Version)] = workflow;
    }
}
