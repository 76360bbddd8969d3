using Postern.Http;
using Postern.Pages;
using Postern.Settings;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Hosting;

/// <summary>
/// What an operator should know without asking: doors that are open to anyone, questions that wait, and deliveries that
/// did not arrive.
/// </summary>
internal static class WorkFindings
{
    public static async Task<IReadOnlyList<DoctorFinding>> OfAsync(Database database, PosternOptions options)
    {
        var found = new List<DoctorFinding>();
        var (open, all) = await database.ReadAsync(tx =>
            tx.FirstAsync(
                """
                SELECT COUNT(*) - COUNT(auth_scheme), COUNT(*)
                FROM agent_trigger
                WHERE mode = 'webhook' AND active = 1
                """,
                r => (r.GetInt64(0), r.GetInt64(1))
            )
        );
        Ok(
            "triggers",
            open == 0
                ? $"{all} inbound URLs, all with authentication"
                : $"{all} inbound URLs, {open} of them open to whoever knows the URL: give them webhookAuth"
        );
        var stuck = await database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT kind, owner, id, schedule_problem FROM agent_trigger
                WHERE schedule_problem IS NOT NULL AND active = 1 ORDER BY kind, owner, id LIMIT 20
                """,
                r => (Name: new TriggerName(r.GetString(0), r.GetString(1), r.GetString(2)), Why: r.GetString(3))
            )
        );
        foreach (var (name, why) in stuck)
            Bad("schedules", $"{name.Scope} does not fire: {why}. Put its schedule again, or pause it");
        var (waiting, since) = await database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT COUNT(*), COALESCE(MIN(requested_at), 0) FROM approval WHERE status = 'pending'",
                r => (r.GetInt64(0), r.GetInt64(1))
            )
        );
        Ok(
            "approvals",
            waiting == 0
                ? "nobody is waited for"
                : $"{waiting} wait for a person, the first since {Wire.Iso(since)}: GET /api/v1/approvals"
                    + "?status=pending"
        );
        if (options.PublicUrl.Length == 0)
            Ok(
                "links",
                "lead to the address that the server listens on: set Postern:PublicUrl to where people reach it"
            );
        var dead = await database.ReadAsync(tx =>
            tx.FirstAsync(
                """
                SELECT CAST(COALESCE(SUM((
                  SELECT COUNT(*) FROM (
                    SELECT 1 FROM delivery d WHERE d.project = p.id AND d.status = 'dead' LIMIT 10000
                  ) AS dead
                )), 0) AS bigint) FROM project p
                """,
                r => r.GetInt64(0)
            )
        );
        Ok("deliveries", dead == 0 ? "none is dead" : $"{dead} are dead: GET /api/v1/deliveries?status=dead says why");
        var disabled = await database.ReadAsync(tx =>
            tx.FirstAsync("SELECT COUNT(*) FROM webhook_endpoint WHERE enabled = 0", r => r.GetInt64(0))
        );
        if (disabled > 0)
            Ok("endpoints", $"{disabled} are disabled: GET /api/v1/webhook-endpoints says why");
        return found;

        void Ok(string what, string description) => found.Add(new DoctorFinding(DoctorFinding.Ok, what, description));

        void Bad(string what, string description) =>
            found.Add(new DoctorFinding(DoctorFinding.Wrong, what, description));
    }
}
