using System.Data.Common;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Finds triggers by name, and captured requests by id or by the provider's name of the delivery, while that is
/// remembered (24 hours). A project has few triggers: <c>Postern:Quotas:Triggers</c>.
/// </summary>
internal sealed class InboundFinder(Database database)
{
    private const int MostTriggers = 1_000;

    /// <summary>The other sources of a delivery's name: a signed id, or an id in the body.</summary>
    private static readonly string[] OtherNames = ["event", "standard"];

    /// <summary>Returns the triggers whose name, or its last part, begins with a text.</summary>
    public async ValueTask<List<TriggerName>> BeginningWithAsync(string project, string text) =>
        [
            .. (await NamesAsync(project))
                .Select(t => t.Name)
                .Where(n =>
                    n.Id.StartsWith(text, StringComparison.Ordinal)
                    || n.Scope.StartsWith(text, StringComparison.Ordinal)
                ),
        ];

    /// <summary>Returns a captured request with its trigger's name, or null.</summary>
    public async ValueTask<(TriggerName Trigger, string Capture, string? Session)?> CaptureAsync(
        string project,
        string id
    )
    {
        var found = await database.ReadAsync(tx =>
            tx.FirstAsync<(TriggerName, string, string?)?>(
                """
                SELECT t.kind, t.owner, t.id, c.id, c.session
                FROM capture c
                JOIN agent_trigger t ON t.project = c.project AND t.uid = c.trigger_uid
                WHERE c.project = $1 AND c.id = $2
                """,
                r => (NameOf(r), r.GetString(3), r.TextOrNull(4)),
                project,
                id
            )
        );
        return found;
    }

    /// <summary>Returns captures by the beginning of their ids, with the names of their triggers.</summary>
    public ValueTask<List<(TriggerName Trigger, string Capture)>> CapturesBeginningAsync(
        string project,
        string text,
        int limit
    ) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT t.kind, t.owner, t.id, c.id
                FROM capture c
                JOIN agent_trigger t ON t.project = c.project AND t.uid = c.trigger_uid
                WHERE c.project = $1 AND c.id >= $2 AND c.id < $3
                ORDER BY c.id LIMIT $4
                """,
                r => (NameOf(r), r.GetString(3)),
                project,
                text,
                text + "~",
                (long)limit
            )
        );

    /// <summary>Returns the captured requests of a delivery, by the provider's name of it.</summary>
    public async ValueTask<List<string>> OfDeliveryAsync(string project, string name)
    {
        var found = new List<string>();
        var triggers = await NamesAsync(project);
        string[] headers =
        [
            .. DeliveryId.Headers,
            .. triggers.Select(t => t.Header).OfType<string>().Distinct(StringComparer.OrdinalIgnoreCase),
        ];
        foreach (
            var kind in headers.Select(h => h.ToLowerInvariant()).Concat(OtherNames).Distinct(StringComparer.Ordinal)
        )
        {
            var digest = SHA256.HashData(Encoding.UTF8.GetBytes($"{kind} {name}"));
            found.AddRange(
                await database.ReadAsync(tx =>
                    tx.ListAsync(
                        $"""
                        SELECT capture FROM capture_key
                        WHERE project = $1 AND {tx.IsAnyOf("trigger_uid", "$2")} AND digest = $3 LIMIT 20
                        """,
                        r => r.GetString(0),
                        project,
                        JsonSerializer.Serialize(triggers.Select(t => t.Uid)),
                        digest
                    )
                )
            );
        }
        return [.. found.Distinct(StringComparer.Ordinal)];
    }

    private ValueTask<List<(TriggerName Name, string Uid, string? Header)>> NamesAsync(string project) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT kind, owner, id, uid, delivery_id_header
                FROM agent_trigger
                WHERE project = $1
                ORDER BY kind, owner, id LIMIT $2
                """,
                r => (NameOf(r), r.GetString(3), r.TextOrNull(4)),
                project,
                (long)MostTriggers
            )
        );

    private static TriggerName NameOf(DbDataReader r) => new(r.GetString(0), r.GetString(1), r.GetString(2));
}
