using System.Text.Json;
using Postern.Access;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>The rows of endpoints.</summary>
internal sealed class WebhookEndpoints(Database database, MasterKey master)
{
    /// <summary>The endpoint's name in deliveries.</summary>
    public static string KeyOf(string id) => "endpoint:" + id;

    public static string IdOf(string key) => key["endpoint:".Length..];

    /// <summary>
    /// The name for callers: an endpoint by its id, which has no colon; agents and callbacks with their kind.
    /// </summary>
    public static string Shown(string key) => key.StartsWith("endpoint:", StringComparison.Ordinal) ? IdOf(key) : key;

    /// <summary>Turns a caller's name into the name in deliveries.</summary>
    public static string? Named(string? text) =>
        text is null || text.Contains(':', StringComparison.Ordinal) ? text : KeyOf(text);

    /// <summary>Returns enabled endpoints that subscribe to a type.</summary>
    public static async ValueTask<IReadOnlyList<(string Id, bool Ordered)>> SubscribersAsync(
        Tx tx,
        string project,
        string type
    )
    {
        var endpoints = await Expect(tx, project);
        return endpoints.Count == 0
            ? []
            : [.. endpoints.Where(e => e.SubscribesTo(type)).Select(e => (e.Id, e.Ordered))];
    }

    public static ValueTask<WebhookEndpoint?> FindAsync(Tx tx, string project, string id) =>
        tx.FirstAsync(
            $"SELECT {Row<WebhookEndpoint>.Columns} FROM webhook_endpoint WHERE project = $1 AND id = $2",
            Row<WebhookEndpoint>.Read,
            project,
            id
        );

    public ValueTask<WebhookEndpoint?> FindAsync(string project, string id) =>
        database.ReadAsync(tx => FindAsync(tx, project, id));

    /// <param name="onlyDisabled">Only disabled endpoints.</param>
    public ValueTask<List<WebhookEndpoint>> ListAsync(
        string project,
        string after,
        int limit,
        bool onlyDisabled = false
    ) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<WebhookEndpoint>.Columns} FROM webhook_endpoint
                WHERE project = $1 AND id > $2 {(onlyDisabled ? "AND enabled = 0" : "")}
                ORDER BY id LIMIT $3
                """,
                Row<WebhookEndpoint>.Read,
                project,
                after,
                limit
            )
        );

    public static ValueTask<int> PutAsync(Tx tx, WebhookEndpoint e)
    {
        tx.Cache.Remove(CacheKeyOf(e.Project));
        return tx.ExecuteAsync(
            $"""
            INSERT INTO webhook_endpoint ({Row<WebhookEndpoint>.Columns}) VALUES ({Row<WebhookEndpoint>.Parameters})
            ON CONFLICT (project, id) DO UPDATE
            SET url = excluded.url, events = excluded.events, sealed_secret = excluded.sealed_secret,
              previous_sealed = excluded.previous_sealed,
              previous_until = excluded.previous_until, rate_limit = excluded.rate_limit, ordered = excluded.ordered,
              enabled = excluded.enabled, links = excluded.links, disabled_reason = NULL, failing_since = NULL,
              updated_at = excluded.updated_at, secret_at = excluded.secret_at
            """,
            Row<WebhookEndpoint>.Values(
                e with
                {
                    DisabledReason = null,
                    FailingSince = null,
                    CreatedAt = tx.Now,
                    UpdatedAt = tx.Now,
                }
            )
        );
    }

    /// <summary>Asks for a project's subscribers ahead of the events that the transaction will write.</summary>
    public static Ahead<List<WebhookEndpoint>> Expect(Tx tx, string project)
    {
        if (!tx.Cache.TryGetValue(CacheKeyOf(project), out var known))
            tx.Cache[CacheKeyOf(project)] = known = tx.ListAhead(
                $"""
                SELECT {Row<WebhookEndpoint>.Columns} FROM webhook_endpoint
                WHERE project = $1 AND enabled = 1 ORDER BY id LIMIT 1000
                """,
                Row<WebhookEndpoint>.Read,
                project
            );
        return (Ahead<List<WebhookEndpoint>>)known;
    }

    private static string CacheKeyOf(string project) => "endpoints " + project;

    public static async ValueTask<bool> DeleteAsync(Tx tx, string project, string id)
    {
        tx.Cache.Remove(CacheKeyOf(project));
        return await tx.ExecuteAsync("DELETE FROM webhook_endpoint WHERE project = $1 AND id = $2", project, id) == 1;
    }

    /// <summary>Sets a new signing secret; the old one also signs during the overlap.</summary>
    public static async ValueTask<bool> RotateAsync(
        Tx tx,
        string project,
        string id,
        byte[] sealedSecret,
        long previousUntil
    ) =>
        await tx.ExecuteAsync(
            """
            UPDATE webhook_endpoint
            SET previous_sealed = sealed_secret, previous_until = $4, sealed_secret = $3, updated_at = $5,
              secret_at = $5
            WHERE project = $1 AND id = $2
            """,
            project,
            id,
            sealedSecret,
            previousUntil,
            tx.Now
        ) == 1;

    public static async ValueTask<bool> DisableAsync(Tx tx, string project, string id, string reason)
    {
        tx.Cache.Remove(CacheKeyOf(project));
        return await tx.ExecuteAsync(
                """
                UPDATE webhook_endpoint
                SET enabled = 0, disabled_reason = $3, updated_at = $4
                WHERE project = $1 AND id = $2 AND enabled = 1
                """,
                project,
                id,
                reason,
                tx.Now
            ) == 1;
    }

    /// <summary>
    /// Returns endpoints that were disabled because of their answers and still have waiting deliveries.
    /// </summary>
    public ValueTask<List<(string Project, string Id, string Reason)>> DisabledWithWaitingAsync(int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT e.project, e.id, e.disabled_reason FROM webhook_endpoint e
                WHERE e.enabled = 0 AND e.disabled_reason IS NOT NULL AND EXISTS (
                  SELECT 1 FROM delivery d
                  WHERE d.project = e.project AND d.endpoint = 'endpoint:' || e.id AND d.status = 'pending'
                    AND d.leased_at IS NULL)
                LIMIT $1
                """,
                r => (r.GetString(0), r.GetString(1), r.GetString(2)),
                (long)limit
            )
        );

    /// <summary>
    /// Returns whether it is still disabled, with its row locked. A person who enables it meanwhile waits, and keeps
    /// what has come since.
    /// </summary>
    public static async ValueTask<bool> IsDisabledAsync(Tx tx, string project, string id) =>
        await tx.FirstAsync(
            $"""
            SELECT 1 FROM webhook_endpoint
            WHERE project = $1 AND id = $2 AND enabled = 0 AND disabled_reason IS NOT NULL {tx.ForUpdate}
            """,
            r => r.GetInt64(0),
            project,
            id
        ) == 1;

    /// <summary>
    /// Records the first failure after a success, or forgets it after a success. Returns since when it fails.
    /// </summary>
    public static async ValueTask<long?> MarkAsync(Tx tx, string project, string id, bool failed)
    {
        await tx.ExecuteAsync(
            failed
                ? """
                UPDATE webhook_endpoint
                SET failing_since = $3
                WHERE project = $1 AND id = $2 AND failing_since IS NULL
                """
                : """
                UPDATE webhook_endpoint
                SET failing_since = NULL
                WHERE project = $1 AND id = $2 AND failing_since IS NOT NULL AND failing_since < $3
                """,
            project,
            id,
            tx.Now
        );
        return failed
            ? await tx.FirstAsync(
                "SELECT failing_since FROM webhook_endpoint WHERE project = $1 AND id = $2",
                r => r.LongOrNull(0),
                project,
                id
            )
            : null;
    }

    /// <summary>Returns every secret that signs now.</summary>
    public IReadOnlyList<string> SecretsOf(WebhookEndpoint endpoint, long now)
    {
        var owner = WebhookEndpoint.SealPurpose(endpoint.Project, endpoint.Id);
        var present = master.Unprotect(endpoint.SealedSecret, owner);
        return endpoint.PreviousSealed is not null && endpoint.PreviousUntil > now
            ? [present, master.Unprotect(endpoint.PreviousSealed, owner)]
            : [present];
    }

    public byte[] Protect(string project, string id, string secret) =>
        master.Protect(secret, WebhookEndpoint.SealPurpose(project, id));
}
