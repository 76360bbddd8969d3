using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Bench;

/// <summary>
/// The rows that a captured webhook, a status callback and a decision write, as statements by key: what a bare loop
/// writes that does nothing else. The same for both databases.
/// </summary>
internal static class BareRows
{
    private const string UpdateRun = """
        UPDATE run SET status = $3, phase = $4, reason = $5, attempt = $6, marker = $7, event_seq = $8,
          failure_code = $9, failure_message = $10, failed_stage = $11,
          progress_millionths = $12, profile = $13, paused_from = $14, updated_at = $15, attempt_at = $16,
          started_at = $17, ended_at = $18,
          deadline_at = $19, total_at = $20, state_until = $21, due_at = $22, claim_at = $23, claim_until = $24,
          claim_seconds = $25, leases_lost = $26, dispatched = $27,
          boot_message = $28, tries = $29, approval = $30, approval_until = $31
        WHERE project = $1 AND id = $2
        """;

    private const string InsertRunEvent = """
        INSERT INTO run_event (project, run, seq, at, type, attempt, actor, credential, from_status, to_status,
          event_id, correlation_id, occurred_at, accepted, code, detail, digest)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        """;

    private const string InsertEvent = """
        INSERT INTO event (project, id, at, type, subject, body, position) VALUES ($1, $2, $3, $4, $5, $6, $7)
        """;

    /// <summary>A captured webhook with its session, its message and its run.</summary>
    /// <param name="project">The tenant.</param>
    /// <param name="triggers">How many triggers there are: <c>t0</c>…</param>
    public static IEnumerable<(string Sql, object?[] Values)> OfCapture(string project, int triggers, long n)
    {
        var id = Guid.CreateVersion7().ToString();
        var (session, run, trigger, at) = ("session_" + id, "run_" + id, "t" + (n % triggers), Now(n));
        yield return (
            "INSERT INTO capture_key (project, trigger_uid, digest, capture, at) VALUES ($1, $2, $3, $4, $5)",
            [project, "trg_" + trigger, SHA256.HashData(Encoding.UTF8.GetBytes(id)), id, at]
        );
        yield return (
            """
            INSERT INTO session (project, id, external_id, session_key, type, agent, trigger_config, tags,
              metadata, created_at, updated_at, expires_at, in_next, out_next, message_next, in_message_seq,
              in_answered_seq, stop_seq, out_settled, expiry_told, turn_seconds, turn_in_seq, turn_out_seq,
              current_run, bytes)
            VALUES ($1, $2, $3, $4, 'trigger', 'idle', NULL, '[]', '{"trigger":"user/bench/t1","key":null}',
              $5, $5, NULL, 1, 0, 2, 0, -1, -1, 0, 0, 0, -1, 0, $6, 300)
            """,
            [project, session, "trg:" + id, "agent:idle:trg:" + id, at, run]
        );
        yield return (
            """
            INSERT INTO record (project, session, channel, seq, at, part_id, body, headers)
            VALUES ($1, $2, 'in', 0, $3, $4, $5, NULL)
            """,
            [project, session, at, id, new byte[300]]
        );
        yield return (
            """
            INSERT INTO message (project, session, seq, id, role, content, at, run, idempotency_key)
            VALUES ($1, $2, 1, $3, 'user', $4, $5, NULL, NULL)
            """,
            [project, session, "msg_" + id, new byte[60], at]
        );
        yield return (
            """
            INSERT INTO run (project, id, agent, workflow, workflow_version, session, status, phase, attempt,
              event_seq, tags, boot_message, continuation, created_at, updated_at, attempt_at, deadline_at,
              total_at, state_until, queued_seconds, silent_seconds, total_seconds, idle_seconds, claim_at,
              lease_until, lease_no, tries, trigger_key)
            VALUES ($1, $2, 'idle', 'agent', 0, $3, 'queued', 'queued', 1, 1, '[]', 0, 0, $4, $4, $4, $4, $4,
              $4, 3600, 900, 86400, 30, $4, 0, 0, 0, 'user/bench/t1')
            """,
            [project, run, session, at]
        );
        yield return (
            InsertRunEvent,
            RunEvent(project, run, 1, at, "created", ("server", "server"), (null, "queued"), null, null)
        );
        yield return (
            """
            INSERT INTO capture (project, id, trigger_uid, at, source, method, path, query, headers, body,
              content_type, source_ip, status, session, in_seq, run)
            VALUES ($1, $2, $3, $4, 'webhook', 'POST', '/inbound/user/bench/t1', '', $5, $6,
              'application/json', '127.0.0.1', 'captured', $7, 0, $8)
            """,
            [project, id, "trg_" + trigger, at, new string('h', 250), new byte[110], session, run]
        );
        yield return (
            """
            INSERT INTO event (project, id, at, type, subject, body, position, more)
            VALUES ($1, $2, $3, 'session.created', $4, $5, $6, $7)
            """,
            [project, "evt_" + id, at, session, new byte[220], at, new string('e', 900)]
        );
        yield return (
            """
            UPDATE agent_trigger
            SET received = received + 1, last_at = $3, in_flight = in_flight + 1
            WHERE project = $1 AND kind = 'user' AND owner = 'bench' AND id = $2
            """,
            [project, trigger, at]
        );
    }

    /// <summary>An applied status callback.</summary>
    /// <param name="project">The tenant.</param>
    /// <param name="run">The run.</param>
    /// <param name="seq">The event's number in it.</param>
    /// <param name="eventId">The report's own name.</param>
    public static IEnumerable<(string Sql, object?[] Values)> OfCallback(
        string project,
        string run,
        long seq,
        string eventId
    )
    {
        var at = Now(seq);
        yield return (UpdateRun, Moved(project, run, seq, "WORKING", at));
        yield return (
            InsertRunEvent,
            RunEvent(
                project,
                run,
                seq,
                at,
                "report",
                ("cbs_01m80t06jve429nf9xf5c8pwcw", "callback_secret"),
                ("WORKING", "WORKING"),
                eventId,
                """{"actorType":"orchestrator"}"""
            )
        );
    }

    /// <summary>A decision of what a run waits for.</summary>
    public static IEnumerable<(string Sql, object?[] Values)> OfDecision(
        string project,
        string approval,
        string run,
        long n
    )
    {
        var at = Now(n);
        yield return (
            """
            UPDATE approval
            SET status = 'approved', decided_at = $3, decided_with = 'service', decided_by = 'default',
              feedback = 'go ahead', response = NULL
            WHERE project = $1 AND id = $2 AND status = 'pending'
            """,
            [project, approval, at]
        );
        yield return (
            InsertEvent,
            [project, "evt_" + Guid.CreateVersion7().ToString("N"), at, "approval.decided", run, new byte[330], at]
        );
        yield return (
            """
            INSERT INTO audit (project, id, at, action, credential, actor, route, address, reason)
            VALUES ($1, $2, $3, 'approval.decided', 'service', 'default', NULL, NULL, $4)
            """,
            [project, "aud_" + Guid.CreateVersion7().ToString("N"), at, "approved " + run + " round 1"]
        );
        yield return (UpdateRun, Moved(project, run, 4, "running", at));
        yield return (
            InsertRunEvent,
            RunEvent(
                project,
                run,
                4,
                at,
                "approval_decided",
                ("default", "service"),
                ("waiting", "running"),
                null,
                """{"approvalRequestId":"q12345","round":1,"decision":"approved","feedback":"go ahead","""
                    + "\"decidedWith\":\"service\",\"decidedBy\":\"default\"}"
            )
        );
    }

    /// <summary>Before all that the server is told: nothing of it is out of order behind these.</summary>
    private static long Now(long n) => 1_700_000_000_000_000 + n;

    private static object?[] Moved(string project, string run, long seq, string status, long at) =>
        [
            .. (object?[])[project, run, status, "running", null, 1L, at, seq],
            .. (object?[])[null, null, null, null, null, null],
            .. (object?[])[at, at, at, null, Far(at), Far(at), null, null, null, null],
            .. (object?[])[0L, 0L, 0L, 1L, 0L, null, null],
        ];

    /// <summary>A deadline that nobody looks at while it is measured.</summary>
    private static long Far(long at) => at + 1_000_000_000_000_000;

    private static object?[] RunEvent(
        string project,
        string run,
        long seq,
        long at,
        string type,
        (string Actor, string Credential) by,
        (string? From, string To) moved,
        string? eventId,
        string? detail
    ) =>
        [
            .. (object?[])[project, run, seq, at, type, 1L, by.Actor, by.Credential, moved.From, moved.To],
            .. (object?[])[eventId, eventId is null ? null : "bench", eventId is null ? null : at, 1L, null, detail],
            eventId is null ? null : new byte[32],
        ];
}
