using System.Data.Common;
using System.Security.Cryptography;
using System.Text.Json;
using Postern.Access;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>A subscriber to events: where they go, which, and how they are signed. Its secrets are sealed under the master key, bound to this row.</summary>
/// <param name="Events">Types, or prefixes as in <c>run.*</c>; <c>*</c> is all.</param>
/// <param name="RateLimit">At most so many deliveries a second from one node.</param>
/// <param name="Links">It is sent the links of questions, which decide them.</param>
/// <param name="FailingSince">Since when nothing but failure has come back; null while it works.</param>
internal sealed record WebhookEndpoint(
    string Project, string Id, string Url, IReadOnlyList<string> Events, byte[] SealedSecret, byte[]? PreviousSealed, long? PreviousUntil,
    long? RateLimit, bool Ordered, bool Enabled, bool Links, string? DisabledReason, long? FailingSince, long CreatedAt, long UpdatedAt)
{
    public static string SealOwner(string project, string id) => $"endpoint:{project}:{id}";

    public bool Takes(string type) => Events.Any(e => e == "*" || e == type || (e.EndsWith(".*", StringComparison.Ordinal) && type.StartsWith(e.AsSpan(0, e.Length - 1), StringComparison.Ordinal)));
}

/// <summary>A signing secret as Standard Webhooks spells it: <c>whsec_</c> and 24 to 64 bytes in base 64.</summary>
internal static class SigningSecret
{
    public const string Rule = "must be whsec_ and 24 to 64 bytes in base 64";

    public static string New() => "whsec_" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    public static bool IsOne(string text)
    {
        Span<byte> key = stackalloc byte[192];
        return text.StartsWith("whsec_", StringComparison.Ordinal) && Convert.TryFromBase64String(text["whsec_".Length..], key, out var length) && length is >= 24 and <= 64;
    }
}

/// <summary>The endpoints' rows.</summary>
internal sealed class WebhookEndpoints(Database database, MasterKey master)
{
    private const string Columns = "project, id, url, events, sealed_secret, previous_sealed, previous_until, rate_limit, ordered, enabled, links, disabled_reason, failing_since, created_at, updated_at";

    /// <summary>How deliveries name it.</summary>
    public static string KeyOf(string id) => "endpoint:" + id;

    public static string IdOf(string key) => key["endpoint:".Length..];

    /// <summary>How callers read it: an endpoint by its own id, which has no colon; agents and callbacks with what they are.</summary>
    public static string Shown(string key) => key.StartsWith("endpoint:", StringComparison.Ordinal) ? IdOf(key) : key;

    /// <summary>What a caller names, as deliveries name it.</summary>
    public static string? Named(string? text) => text is null || text.Contains(':', StringComparison.Ordinal) ? text : KeyOf(text);

    /// <summary>Enabled endpoints that take a type.</summary>
    public static async ValueTask<IReadOnlyList<(string Id, bool Ordered)>> SubscribersAsync(Tx tx, string project, string type)
    {
        if (!tx.Memo.TryGetValue(MemoOf(project), out var known)) tx.Memo[MemoOf(project)] = known = await tx.ListAsync($"SELECT {Columns} FROM webhook_endpoint WHERE project = $1 AND enabled = 1 ORDER BY id LIMIT 1000", Map, project);
        var endpoints = (List<WebhookEndpoint>)known;
        return endpoints.Count == 0 ? [] : [.. endpoints.Where(e => e.Takes(type)).Select(e => (e.Id, e.Ordered))];
    }

    public static ValueTask<WebhookEndpoint?> FindAsync(Tx tx, string project, string id) =>
        tx.FirstAsync($"SELECT {Columns} FROM webhook_endpoint WHERE project = $1 AND id = $2", Map, project, id);

    public ValueTask<WebhookEndpoint?> FindAsync(string project, string id) => database.ReadAsync(tx => FindAsync(tx, project, id));

    public ValueTask<List<WebhookEndpoint>> ListAsync(string project, string after, int limit) =>
        database.ReadAsync(tx => tx.ListAsync($"SELECT {Columns} FROM webhook_endpoint WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3", Map, project, after, limit));

    public static ValueTask<int> PutAsync(Tx tx, WebhookEndpoint e)
    {
        tx.Memo.Remove(MemoOf(e.Project));
        return tx.ExecuteAsync(
            """
            INSERT INTO webhook_endpoint (project, id, url, events, sealed_secret, previous_sealed, previous_until, rate_limit, ordered, enabled, created_at, updated_at, links)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12)
            ON CONFLICT (project, id) DO UPDATE SET url = excluded.url, events = excluded.events, sealed_secret = excluded.sealed_secret, previous_sealed = excluded.previous_sealed,
              previous_until = excluded.previous_until, rate_limit = excluded.rate_limit, ordered = excluded.ordered, enabled = excluded.enabled, links = excluded.links, disabled_reason = NULL, failing_since = NULL, updated_at = excluded.updated_at
            """,
            e.Project, e.Id, e.Url, JsonSerializer.Serialize(e.Events), e.SealedSecret, e.PreviousSealed, e.PreviousUntil, e.RateLimit, e.Ordered ? 1L : 0L, e.Enabled ? 1L : 0L, tx.Now, e.Links ? 1L : 0L);
    }

    private static string MemoOf(string project) => "endpoints " + project;

    public static async ValueTask<bool> DeleteAsync(Tx tx, string project, string id)
    {
        tx.Memo.Remove(MemoOf(project));
        return await tx.ExecuteAsync("DELETE FROM webhook_endpoint WHERE project = $1 AND id = $2", project, id) == 1;
    }

    /// <summary>Another secret signs from now on; the old one signs beside it for an overlap.</summary>
    public static async ValueTask<bool> RotateAsync(Tx tx, string project, string id, byte[] sealedSecret, long previousUntil) =>
        await tx.ExecuteAsync(
            "UPDATE webhook_endpoint SET previous_sealed = sealed_secret, previous_until = $4, sealed_secret = $3, updated_at = $5 WHERE project = $1 AND id = $2",
            project, id, sealedSecret, previousUntil, tx.Now) == 1;

    public static async ValueTask<bool> DisableAsync(Tx tx, string project, string id, string reason)
    {
        tx.Memo.Remove(MemoOf(project));
        return await tx.ExecuteAsync("UPDATE webhook_endpoint SET enabled = 0, disabled_reason = $3, updated_at = $4 WHERE project = $1 AND id = $2 AND enabled = 1", project, id, reason, tx.Now) == 1;
    }

    /// <summary>Endpoints that were disabled by what they answered and that something still waits for.</summary>
    public ValueTask<List<(string Project, string Id, string Reason)>> DisabledWithWaitingAsync(int limit) =>
        database.ReadAsync(tx => tx.ListAsync(
            """
            SELECT e.project, e.id, e.disabled_reason FROM webhook_endpoint e
            WHERE e.enabled = 0 AND e.disabled_reason IS NOT NULL AND EXISTS (
              SELECT 1 FROM delivery d WHERE d.project = e.project AND d.endpoint = 'endpoint:' || e.id AND d.status = 'pending'
                AND d.leased_at IS NULL)
            LIMIT $1
            """, r => (r.GetString(0), r.GetString(1), r.GetString(2)), (long)limit));

    /// <summary>Whether it is disabled still, its row held: whoever enables it again meanwhile waits, and keeps what came since.</summary>
    public static async ValueTask<bool> IsDisabledAsync(Tx tx, string project, string id) =>
        await tx.FirstAsync(
            "SELECT 1 FROM webhook_endpoint WHERE project = $1 AND id = $2 AND enabled = 0 AND disabled_reason IS NOT NULL" + tx.ForUpdate,
            r => r.GetInt64(0), project, id) == 1;

    /// <summary>The first failure after a success is remembered, a success forgets it. Answers since when it fails.</summary>
    public static async ValueTask<long?> MarkAsync(Tx tx, string project, string id, bool failed)
    {
        await tx.ExecuteAsync(
            failed
                ? "UPDATE webhook_endpoint SET failing_since = $3 WHERE project = $1 AND id = $2 AND failing_since IS NULL"
                : "UPDATE webhook_endpoint SET failing_since = NULL WHERE project = $1 AND id = $2 AND failing_since IS NOT NULL AND failing_since < $3",
            project, id, tx.Now);
        return failed ? await tx.FirstAsync("SELECT failing_since FROM webhook_endpoint WHERE project = $1 AND id = $2", r => r.LongOrNull(0), project, id) : null;
    }

    /// <summary>Every secret that signs now.</summary>
    public IReadOnlyList<string> SecretsOf(WebhookEndpoint endpoint, long now)
    {
        var owner = WebhookEndpoint.SealOwner(endpoint.Project, endpoint.Id);
        var present = master.Open(endpoint.SealedSecret, owner);
        return endpoint.PreviousSealed is not null && endpoint.PreviousUntil > now ? [present, master.Open(endpoint.PreviousSealed, owner)] : [present];
    }

    public byte[] Seal(string project, string id, string secret) => master.Seal(secret, WebhookEndpoint.SealOwner(project, id));

    private static WebhookEndpoint Map(DbDataReader r) => new(
        r.GetString(0), r.GetString(1), r.GetString(2), JsonSerializer.Deserialize<string[]>(r.GetString(3)) ?? [], r.Bytes(4), r.BytesOrNull(5), r.LongOrNull(6), r.LongOrNull(7),
        r.Flag(8), r.Flag(9), r.Flag(10), r.TextOrNull(11), r.LongOrNull(12), r.GetInt64(13), r.GetInt64(14));
}

/// <summary>
/// The body of an event for an endpoint that may have links: with the link of its question, if it has one. Made when it is sent, so that no link
/// is kept.
/// </summary>
internal delegate ValueTask<byte[]> AddLink(Delivery delivery);

/// <summary>Events on their way to a subscriber.</summary>
internal sealed class EventPurpose(WebhookEndpoints endpoints, Outbox outbox, AddLink addLink, Database database) : DeliveryPurpose
{
    public const string PurposeName = "event";

    /// <summary>Nothing but failure for so long, and an endpoint is disabled.</summary>
    private const long MaxFailing = 5L * 86_400 * 1_000_000;

    public override string Name => PurposeName;

    public override async ValueTask<(Outgoing? Request, string? Why)> PrepareAsync(Delivery delivery)
    {
        if (await endpoints.FindAsync(delivery.Project, WebhookEndpoints.IdOf(delivery.Endpoint)) is not { } endpoint) return (null, "The endpoint was deleted.");
        if (!endpoint.Enabled) return (null, "The endpoint is disabled" + (endpoint.DisabledReason is null ? "." : ": " + endpoint.DisabledReason));
        var body = endpoint.Links && delivery.Type == "approval.requested" ? await addLink(delivery) : delivery.Body;
        return (new Outgoing(endpoint.Url, endpoints.SecretsOf(endpoint, database.Now), body, endpoint.RateLimit), null);
    }

    public override async ValueTask AttemptedAsync(Tx tx, Delivery delivery, Attempt attempt)
    {
        if (await WebhookEndpoints.MarkAsync(tx, delivery.Project, WebhookEndpoints.IdOf(delivery.Endpoint), failed: true) is { } since && tx.Now - since >= MaxFailing)
            await DisableAsync(tx, delivery, "nothing but failure for five days; the last: " + attempt.Words);
    }

    public override async ValueTask EndedAsync(Tx tx, Delivery delivery, Attempt? attempt, string? reason)
    {
        if (attempt is null) return;
        if (reason is null) await WebhookEndpoints.MarkAsync(tx, delivery.Project, WebhookEndpoints.IdOf(delivery.Endpoint), failed: false);
        else await AttemptedAsync(tx, delivery, attempt);
    }

    /// <summary>
    /// Disables the endpoint and tells of it. What waits for it is ended by <see cref="DeliveryKeeper"/>: the transaction that
    /// records one delivery touches no other, so many that are answered at once do not wait for one another in a circle.
    /// </summary>
    public override async ValueTask DisableAsync(Tx tx, Delivery delivery, string reason)
    {
        var id = WebhookEndpoints.IdOf(delivery.Endpoint);
        if (!await WebhookEndpoints.DisableAsync(tx, delivery.Project, id, reason)) return;
        await outbox.EmitAsync(tx, delivery.Project, "endpoint.disabled", delivery.Endpoint, json =>
        {
            json.WriteString("endpointId", id);
            json.WriteString("reason", reason);
        });
    }

    public override async ValueTask<string?> WhyNotAgainAsync(Tx tx, Delivery delivery) =>
        await WebhookEndpoints.FindAsync(tx, delivery.Project, WebhookEndpoints.IdOf(delivery.Endpoint)) switch
        {
            null => "Its endpoint was deleted.",
            { Enabled: false } => "Its endpoint is disabled: put it again with enabled true, then retry.",
            _ => null,
        };
}
