using System.Collections.Concurrent;
using System.Text.Json;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// The approval services of all projects. Their secrets are sealed under the master key, bound to the row. Opened, they
/// are in memory, kept equal to the database by <see cref="AccessWatch"/>: a decision with a wrong signature causes no
/// read from the store.
/// </summary>
internal sealed class ApprovalServices(Database database, MasterKey master)
{
    /// <summary>The service of questions that name none.</summary>
    public const string Default = "default";
    public const int MaxName = 64;
    public const int MaxSecrets = 2;

    /// <summary>The most services of a project. A message that names no service is tried with each of them.</summary>
    public const int MaxServices = 20;

    private readonly ConcurrentDictionary<string, ApprovalService[]> _live = new(StringComparer.Ordinal);

    /// <summary>Applies the changes after a version of access.</summary>
    public async ValueTask RefreshAsync(long version)
    {
        var pages = AccessPages.ReadAsync(
            version,
            from =>
                database.ReadAsync(tx =>
                    tx.ListAsync(
                        $"""
                        SELECT project, changed
                        FROM approval_service
                        WHERE changed > $1
                        ORDER BY changed LIMIT {AccessPages.Size}
                        """,
                        r => (Project: r.GetString(0), Changed: r.GetInt64(1)),
                        from
                    )
                ),
            row => row.Changed
        );
        var changed = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var page in pages)
            changed.UnionWith(page.Select(row => row.Project));
        foreach (var project in changed)
        {
            var services = await database.ReadAsync(tx => ListAsync(tx, project));
            if (services.Count == 0)
                _live.TryRemove(project, out _);
            else
                _live[project] = [.. services];
        }
    }

    /// <summary>The projects that have services.</summary>
    public IReadOnlyCollection<string> Projects => [.. _live.Keys];

    /// <summary>Returns a project's services from memory, sorted by name.</summary>
    public IReadOnlyList<ApprovalService> Of(string project) =>
        _live.TryGetValue(project, out var services) ? services : [];

    public ApprovalService? Find(string project, string name) => Of(project).FirstOrDefault(s => s.Name == name);

    /// <summary>
    /// Returns why a run of an agent cannot ask by a service, or null. The default service may be missing; then keys
    /// and the page decide.
    /// </summary>
    public string? Validate(string project, string name, string agent) =>
        Find(project, name) switch
        {
            null => name == Default ? null : $"names no approval service: put it at /api/v1/approval-services/{name}",
            var service => service.Serves(agent) ? null : $"does not serve the agent {agent}",
        };

    /// <summary>Returns false when the project has as many as it may.</summary>
    public Task<(bool Put, bool IsNew)> PutAsync(ApprovalService service, ProjectCaller by) =>
        database.WriteAsync(async tx =>
        {
            // The lock of the project's row prevents that two requests together exceed the limit.
            await ProjectQuota.LockAsync(tx, service.Project);
            await KeyStore.BeginChangeAsync(tx, by, master);
            var known = await ListAsync(tx, service.Project);
            var isNew = known.TrueForAll(s => s.Name != service.Name);
            if (isNew && known.Count >= MaxServices)
                return (false, false);
            await tx.ExecuteAsync(
                """
                INSERT INTO approval_service (project, name, sealed, schemes, require_timestamp, agents, created_at,
                  updated_at, changed) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)
                ON CONFLICT (project, name) DO UPDATE
                SET sealed = excluded.sealed, schemes = excluded.schemes,
                  require_timestamp = excluded.require_timestamp, agents = excluded.agents,
                  created_at = CASE
                  WHEN approval_service.deleted_at IS NULL THEN approval_service.created_at ELSE excluded.created_at
                  END, updated_at = excluded.updated_at, deleted_at = NULL, changed = excluded.changed
                """,
                service.Project,
                service.Name,
                master.Protect(JsonSerializer.Serialize(service.Secrets), SealPurpose(service.Project, service.Name)),
                JsonSerializer.Serialize(service.Forms),
                service.RequireTimestamp ? 1L : 0L,
                service.Agents is null ? null : JsonSerializer.Serialize(service.Agents),
                tx.Now,
                await KeyStore.NextVersionAsync(tx)
            );
            Audit.Write(
                tx,
                new AuditRow(
                    service.Project,
                    isNew ? "approval_service.created" : "approval_service.changed",
                    by.Authority.Credential,
                    by.Authority.LoggedActor,
                    Reason: service.Name
                )
            );
            return (true, isNew);
        });

    public Task<bool> DeleteAsync(string project, string name, ProjectCaller by) =>
        database.WriteAsync(async tx =>
        {
            await KeyStore.BeginChangeAsync(tx, by, master);
            if (
                await tx.ExecuteAsync(
                    """
                    UPDATE approval_service
                    SET sealed = NULL, deleted_at = $3, changed = $4
                    WHERE project = $1 AND name = $2 AND deleted_at IS NULL
                    """,
                    project,
                    name,
                    tx.Now,
                    await KeyStore.NextVersionAsync(tx)
                ) != 1
            )
                return false;
            Audit.Write(
                tx,
                new AuditRow(
                    project,
                    "approval_service.deleted",
                    by.Authority.Credential,
                    by.Authority.LoggedActor,
                    Reason: name
                )
            );
            return true;
        });

    private async ValueTask<List<ApprovalService>> ListAsync(Tx tx, string project) =>
        await tx.ListAsync(
            """
            SELECT name, sealed, schemes, require_timestamp, agents, created_at, updated_at
            FROM approval_service
            WHERE project = $1 AND deleted_at IS NULL
            ORDER BY name LIMIT 100
            """,
            r => new ApprovalService(
                project,
                r.GetString(0),
                JsonSerializer.Deserialize<string[]>(
                    master.Unprotect(r.Bytes(1), SealPurpose(project, r.GetString(0)))
                )!,
                JsonSerializer.Deserialize<string[]>(r.GetString(2))!,
                r.Flag(3),
                r.TextOrNull(4) is { } agents ? JsonSerializer.Deserialize<string[]>(agents) : null,
                r.GetInt64(5),
                r.GetInt64(6)
            ),
            project
        );

    public static string SealPurpose(string project, string name) => $"approval-service:{project}:{name}";
}
