using System.Data.Common;
using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Agents;

/// <summary>The agents' rows.</summary>
internal sealed class AgentStore(Database database)
{
    private const string Columns = "project, slug, kind, url, sealed_secret, settings, created_at, updated_at";

    /// <summary>The rows that are counted for the quota of a project, $1.</summary>
    public const string OfProject = "agent WHERE project = $1";

    public static ValueTask<Agent?> FindAsync(Tx tx, string project, string slug) =>
        tx.FirstAsync($"SELECT {Columns} FROM agent WHERE project = $1 AND slug = $2", Map, project, slug);

    public ValueTask<Agent?> FindAsync(string project, string slug) =>
        database.ReadAsync(tx => FindAsync(tx, project, slug));

    public ValueTask<List<Agent>> ListAsync(string project, string afterSlug, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"SELECT {Columns} FROM agent WHERE project = $1 AND slug > $2 ORDER BY slug LIMIT $3",
                Map,
                project,
                afterSlug,
                limit
            )
        );

    /// <summary>
    /// Another agent of the project whose name differs in case alone: keys of sessions are lower-cased, so they would
    /// collide.
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
            """
            INSERT INTO agent (project, slug, kind, url, sealed_secret, settings, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
            ON CONFLICT (project, slug) DO UPDATE
            SET kind = excluded.kind, url = excluded.url, sealed_secret = excluded.sealed_secret,
              settings = excluded.settings, updated_at = excluded.updated_at
            """,
            agent.Project,
            agent.Slug,
            agent.Kind,
            agent.Url,
            agent.SealedSecret,
            JsonSerializer.Serialize(agent.Settings, Wire.Json),
            tx.Now
        );

    /// <summary>Holds the agent's row until the transaction ends. False: there is no such agent.</summary>
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

    /// <summary>The agent that every new project can be tried out with.</summary>
    public static async ValueTask SeedAsync(Tx tx, string project) =>
        await PutAsync(tx, new Agent(project, Agent.Echo, Agent.Echo, null, null, new AgentSettings(), 0, 0));

    private static Agent Map(DbDataReader r) =>
        new(
            r.GetString(0),
            r.GetString(1),
            r.GetString(2),
            r.TextOrNull(3),
            r.BytesOrNull(4),
            JsonSerializer.Deserialize<AgentSettings>(r.GetString(5), Wire.Json) ?? new AgentSettings(),
            r.GetInt64(6),
            r.GetInt64(7)
        );
}
