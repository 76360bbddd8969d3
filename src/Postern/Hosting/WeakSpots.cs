using System.Text.Json;
using Postern.Access;
using Postern.Deliveries;
using Postern.Settings;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Hosting;

/// <summary>
/// The weak spots that the doctor reports although nothing is broken: settings that open something, and rows that an
/// older version accepted.
/// </summary>
internal static class WeakSpots
{
    /// <summary>The most rows of one kind that are named.</summary>
    private const int Shown = 20;

    public static IEnumerable<WeakSpot> OfSettings(PosternOptions options, string? database)
    {
        var outbound = options.Outbound;
        if (!outbound.HttpsOnly)
        {
            yield return new WeakSpot(
                "outbound",
                "tokens and transcripts may go out by plain http: remove Postern:Outbound:HttpsOnly, "
                    + "and name what is inside in Postern:Outbound:AllowedNetworks"
            );
        }
        foreach (var network in outbound.AllowedNetworks.Where(IsWide))
            yield return new WeakSpot(
                "outbound",
                $"{network} in Postern:Outbound:AllowedNetworks allows every address"
            );
        foreach (var name in SettingsReader.DangerousIn(options))
            yield return new WeakSpot("settings", $"{name} is set: it is for trying things out");
        if (database is not null && DatabaseDriver.Of(database).WeaknessOf(database) is { } weak)
            yield return new WeakSpot("database", $"the connection {weak}: say SSL Mode=VerifyFull, or no SSL Mode");
    }

    /// <summary>Agents and endpoints with a plain http URL.</summary>
    public static async ValueTask<IReadOnlyList<WeakSpot>> OfRowsAsync(
        Database database,
        PosternOptions options,
        HostResolver resolve,
        CancellationToken cancel
    )
    {
        var plain = await database.ReadAsync(
            tx =>
                tx.ListAsync(
                    """
                    SELECT 'agent', slug, url FROM agent WHERE lower(url) LIKE 'http:%'
                    UNION ALL
                    SELECT 'webhook endpoint', id, url FROM webhook_endpoint WHERE lower(url) LIKE 'http:%'
                    ORDER BY 1, 2
                    """,
                    r => (Kind: r.GetString(0), Name: r.GetString(1), Url: r.GetString(2))
                ),
            cancel
        );
        using var outbound = new OutboundGuard(options, resolve);
        var spots = new List<WeakSpot>();
        foreach (var (kind, name, url) in plain.Take(Shown))
        {
            // Only the origin is shown: the path may contain a secret of the receiver.
            var origin = new Uri(url).GetLeftPart(UriPartial.Authority);
            var finding = await outbound.ValidateAsync(url, cancel) is { } problem
                ? $"{problem}; what is sent there is dead until it is put with another URL"
                : "is plain http, which whoever is in between reads";
            spots.Add(new WeakSpot("addresses", $"{kind} {name}: {origin} {finding}"));
        }
        if (plain.Count > Shown)
            spots.Add(new WeakSpot("addresses", $"and {plain.Count - Shown} more are plain http"));
        return spots;
    }

    /// <summary>Secrets of senders that an older version accepted and this one would refuse.</summary>
    public static async ValueTask<IReadOnlyList<WeakSpot>> OfSecretsAsync(Database database, MasterKey master)
    {
        var kept = await database.ReadAsync(async tx =>
        {
            var triggers = await tx.ListAsync(
                """
                SELECT kind, owner, id, project, uid, auth_scheme, auth_sealed FROM agent_trigger
                WHERE auth_sealed IS NOT NULL ORDER BY project, kind, owner, id
                """,
                r =>
                    (
                        What: "trigger " + new TriggerName(r.GetString(0), r.GetString(1), r.GetString(2)).Scope,
                        Owner: Trigger.SealPurpose(r.GetString(3), r.GetString(4)),
                        Authorization: SignatureScheme.Of(r.GetString(5))?.Secret,
                        Sealed: r.Bytes(6)
                    )
            );
            var services = await tx.ListAsync(
                "SELECT name, project, sealed FROM approval_service WHERE sealed IS NOT NULL ORDER BY project, name",
                r =>
                    (
                        What: "approval service " + r.GetString(0),
                        Owner: ApprovalServices.SealPurpose(r.GetString(1), r.GetString(0)),
                        Authorization: (SecretRule?)SecretRule.OfService,
                        Sealed: r.Bytes(2)
                    )
            );
            return triggers.Concat(services).ToList();
        });
        var spots = new List<WeakSpot>();
        foreach (var (what, owner, rule, sealedSecrets) in kept)
        {
            var secrets = JsonSerializer.Deserialize<string[]>(master.Unprotect(sealedSecrets, owner)) ?? [];
            if (secrets.Select(s => rule?.Check(s).Problem).FirstOrDefault(p => p is not null) is { } problem)
                spots.Add(new WeakSpot("secrets", $"{what}: its secret {problem}; put it again with another"));
        }
        return spots.Count <= Shown
            ? spots
            : [.. spots.Take(Shown), new WeakSpot("secrets", $"and {spots.Count - Shown} more are as weak")];
    }

    private static bool IsWide(string network) =>
        System.Net.IPNetwork.TryParse(network, out var parsed) && parsed.PrefixLength == 0;
}
