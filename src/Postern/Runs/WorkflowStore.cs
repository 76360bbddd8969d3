using System.Collections.Concurrent;
using Postern.Access;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>The definitions' rows. A version never changes, so what was read once is kept.</summary>
internal sealed class WorkflowStore(Database database)
{
    private const int Kept = 1000;
    private readonly ConcurrentDictionary<(string, string, long), Workflow> _kept = new();

    /// <summary>The version that a run was started with.</summary>
    public async ValueTask<Workflow> OfAsync(Tx tx, Run run)
    {
        if (run.WorkflowVersion == 0)
            return Workflow.Agent;
        if (_kept.TryGetValue((run.Project, run.Workflow, run.WorkflowVersion), out var workflow))
            return workflow;
        var text =
            await tx.FirstAsync(
                "SELECT definition FROM workflow WHERE project = $1 AND name = $2 AND version = $3",
                r => r.GetString(0),
                run.Project,
                run.Workflow,
                run.WorkflowVersion
            )
            ?? throw new InvalidOperationException(
                $"The definition of {run.Workflow} {run.WorkflowVersion} is gone, but {run.Id} runs by it."
            );
        return Keep(run.Project, WorkflowText.Read(run.Workflow, run.WorkflowVersion, text));
    }

    /// <summary>The newest version, or null.</summary>
    public static async ValueTask<(Workflow Workflow, string Text, long CreatedAt)?> NewestAsync(
        Tx tx,
        string project,
        string name
    )
    {
        if (name == Workflow.Agent.Name)
            return (Workflow.Agent, WorkflowText.Write(Workflow.Agent), 0);
        return await tx.FirstAsync<(Workflow, string, long)?>(
            """
            SELECT version, definition, created_at
            FROM workflow
            WHERE project = $1 AND name = $2
            ORDER BY version DESC LIMIT 1
            """,
            r => (WorkflowText.Read(name, r.GetInt64(0), r.GetString(1)), r.GetString(1), r.GetInt64(2)),
            project,
            name
        );
    }

    /// <summary>
    /// The newest version, for a run that is made of it in this transaction: a put that comes meanwhile does not delete
    /// it before the run is there.
    /// </summary>
    public static async ValueTask<Workflow?> ChooseNewestAsync(Tx tx, string project, string name)
    {
        while (true)
        {
            if (await NewestAsync(tx, project, name) is not { } newest)
                return null;
            if (newest.Workflow.IsAgent)
                return newest.Workflow;
            var isThere = await tx.FirstAsync(
                $"SELECT 1 FROM workflow WHERE project = $1 AND name = $2 AND version = $3{tx.ForKeyShare}",
                r => r.GetInt64(0),
                project,
                name,
                newest.Workflow.Version
            );
            // Else it was deleted just now, behind a newer one.
            if (isThere == 1)
                return newest.Workflow;
        }
    }

    public ValueTask<(Workflow Workflow, string Text, long CreatedAt)?> NewestAsync(string project, string name) =>
        database.ReadAsync(tx => NewestAsync(tx, project, name));

    public ValueTask<List<(string Name, long Version, string Text, long CreatedAt)>> ListAsync(
        string project,
        string after,
        int limit
    ) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT name, version, definition, created_at FROM workflow w WHERE project = $1 AND name > $2
                  AND version = (SELECT MAX(version) FROM workflow n WHERE n.project = w.project AND n.name = w.name)
                ORDER BY name LIMIT $3
                """,
                r => (r.GetString(0), r.GetInt64(1), r.GetString(2), r.GetInt64(3)),
                project,
                after,
                limit
            )
        );

    /// <summary>
    /// The next version of a name; the present one when it says the same. Versions that no run keeps are gone with it.
    /// Of puts at once each makes its own.
    /// </summary>
    public async Task<(long Version, bool IsNew, long CreatedAt)> PutAsync(string project, Workflow workflow) =>
        await database.WriteAsync(async tx =>
        {
            // The project's row orders the puts of its workflows.
            await ProjectQuota.LockAsync(tx, project);
            var text = WorkflowText.Write(workflow);
            var newest = await NewestAsync(tx, project, workflow.Name);
            if (newest is { } same && same.Text == text)
                return (same.Workflow.Version, false, same.CreatedAt);
            var version = (newest?.Workflow.Version ?? 0) + 1;
            // One under this number may have been read in a transaction that came to nothing.
            _kept.TryRemove((project, workflow.Name, version), out _);
            await tx.ExecuteAsync(
                "INSERT INTO workflow (project, name, version, definition, created_at) VALUES ($1, $2, $3, $4, $5)",
                project,
                workflow.Name,
                version,
                text,
                tx.Now
            );
            // One may be chosen by a run that is being created in this moment: those are waited for, and seen by the
            // statement after this one. The version before this one stays.
            await tx.ListAsync(
                $"SELECT version FROM workflow WHERE project = $1 AND name = $2 AND version < $3{tx.ForUpdate}",
                r => r.GetInt64(0),
                project,
                workflow.Name,
                version - 1
            );
            await tx.ExecuteAsync(
                """
                DELETE FROM workflow WHERE project = $1 AND name = $2 AND version < $3
                  AND NOT EXISTS (SELECT 1 FROM run
                  WHERE run.project = workflow.project AND run.workflow = workflow.name
                  AND run.workflow_version = workflow.version)
                """,
                project,
                workflow.Name,
                version - 1
            );
            return (version, newest is null, tx.Now);
        });

    private Workflow Keep(string project, Workflow workflow)
    {
        // A bound, not a policy: when it is reached everyone is looked up once more.
        if (_kept.Count >= Kept)
            _kept.Clear();
        return _kept[(project, workflow.Name, workflow.Version)] = workflow;
    }
}
