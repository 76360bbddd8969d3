using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Agents;

/// <summary>The rows of agents.</summary>
internal sealed class AgentStore(Database database)
{
    /// <summary>The rows that count for the quota of a project, $1.</summary>
    public const string OfProject = "agent WHERE project = $1";

    private static readonly string Find = $"SELECT {Row<Agent>.Columns} FROM agent WHERE project = $1 AND slug = $2";

    public static ValueTask<Agent?> FindAsync(Tx tx, string project, string slug) =>
        tx.FirstAsync(Find, Row<Agent>.Read, project, slug);

    public static Ahead<Agent?> FindAhead(Tx tx, string project, string slug) =>
        tx.FirstAhead(Find, Row<Agent>.Read, project, slug);

    public ValueTask<Agent?> FindAsync(string project, string slug) =>
        database.ReadAsync(tx => FindAsync(tx, project, slug));

    public ValueTask<List<Agent>> ListAsync(string project, string afterSlug, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"SELECT {Row<Agent>.Columns} FROM agent WHERE project = $1 AND slug > $2 ORDER BY slug LIMIT $3",
                Row<Agent>.Read,
                project,
                afterSlug,
                limit
            )
        );

    /// <summary>Returns agents whose workers claim, but of which none has asked since an instant.</summary>
    public static ValueTask<List<string>> WithoutWorkerAsync(Tx tx, string project, long since, int limit) =>
        tx.ListAsync(
            """
            SELECT slug
            FROM agent a
            WHERE project = $1 AND kind = 'pull' AND NOT EXISTS (
              SELECT 1 FROM agent_asked q WHERE q.project = a.project AND q.agent = a.slug AND q.at > $2)
            ORDER BY slug LIMIT $3
            """,
            r => r.GetString(0),
            project,
            since,
            (long)limit
        );

    /// <summary>
    /// Returns another agent of the project whose name differs only in case. Session keys are in lower case, so they
    /// would collide.
    /// </summary>
    public static ValueTask<string?> FindOtherCaseAsync(Tx tx, string project, string slug) =>
        tx.FirstAsync(
            "SELECT slug FROM agent WHERE project = $1 AND lower(slug) = lower($2) AND slug <> $2",
            r => r.GetString(0),
            project,
            slug
        );

    public static ValueTask<int> PutAsync(Tx tx, Agent agent) =>
        tx.ExecuteAsync(
            $"""
            INSERT INTO agent ({Row<Agent>.Columns}) VALUES ({Row<Agent>.Parameters})
            ON CONFLICT (project, slug) DO UPDATE
            SET kind = excluded.kind, url = excluded.url, sealed_secret = excluded.sealed_secret,
              settings = excluded.settings, updated_at = excluded.updated_at
            """,
            Row<Agent>.Values(agent with { CreatedAt = tx.Now, UpdatedAt = tx.Now })
        );

    /// <summary>Locks the agent's row until the transaction ends. Returns false when there is no such agent.</summary>
    public static async ValueTask<bool> LockAsync(Tx tx, string project, string slug) =>
        await tx.FirstAsync(
            "SELECT slug FROM agent WHERE project = $1 AND slug = $2" + tx.ForUpdate,
            r => r.GetString(0),
            project,
            slug
        )
            is not null;

    public static async ValueTask<bool> DeleteAsync(Tx tx, string project, string slug)
    {
        await AgentAsks.ForgetAsync(tx, project, slug);
        return await tx.ExecuteAsync("DELETE FROM agent WHERE project = $1 AND slug = $2", project, slug) == 1;
    }

    /// <summary>Makes the agent with which every new project can be tried.</summary>
    public static async ValueTask SeedAsync(Tx tx, string project) =>
        await PutAsync(
            tx,
            new Agent
            {
                Project = project,
                Slug = Agent.Echo,
                Kind = Agent.Echo,
                Url = null,
                SealedSecret = null,
                Settings = new AgentSettings(),
                CreatedAt = 0,
                UpdatedAt = 0,
            }
        );
}
