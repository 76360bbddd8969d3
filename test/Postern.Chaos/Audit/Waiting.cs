namespace Postern.Chaos.Audit;

/// <summary>Work that still waits after all actors have stopped, and counters that differ from their rows.</summary>
internal static class Waiting
{
    /// <summary>For each kind of work, a statement whose rows must disappear.</summary>
    public static readonly (string What, string Sql)[] Ends =
    [
        // A run that waits for a person shows the question. The question has a deadline of its own, an hour for some.
        (
            "run",
            """
            SELECT id, agent, status, phase, attempt, deadline_at, due_at, waits_at FROM run
            WHERE ended_at IS NULL AND approval IS NULL
            """
        ),
        (
            "approval",
            """
            SELECT a.id, a.run, a.expires_at FROM approval a WHERE a.status = 'pending'
              AND (a.expires_at - a.requested_at < 60000000
                OR NOT EXISTS (SELECT 1 FROM run r WHERE r.project = a.project AND r.id = a.run AND r.approval = a.id))
            """
        ),
        ("capture", "SELECT id, status, session, run FROM capture WHERE ended_at IS NULL"),
        (
            "turn",
            """
            SELECT id, external_id, in_message_seq, in_answered_seq, current_run, turn_deadline FROM session
            WHERE closed_at IS NULL AND (turn_deadline IS NOT NULL OR in_answered_seq < in_message_seq)
              AND NOT EXISTS (SELECT 1 FROM run r WHERE r.project = session.project AND r.id = session.current_run
                AND r.approval IS NOT NULL)
            """
        ),
    ];

    /// <summary>
    /// A delivery may wait for its next attempt, which is shown with the last one, or for the previous delivery in its
    /// chain. All others are stuck.
    /// </summary>
    public const string StuckDeliveries = """
        SELECT d.id, d.endpoint, d.subject, d.type, d.attempts, d.due_at, d.leased_at FROM delivery d
        WHERE d.status = 'pending' AND d.due_at IS NULL AND NOT EXISTS (
          SELECT 1 FROM delivery b WHERE b.project = d.project AND b.endpoint = d.endpoint AND b.subject = d.subject
            AND b.status = 'pending' AND b.place < d.place)
        """;

    /// <summary>Counters that differ from the rows that they count.</summary>
    public static readonly (string What, string Counted, string Sql)[] Counters =
    [
        (
            "places of triggers",
            "SELECT COUNT(*) FROM agent_trigger",
            """
            SELECT 'in_flight', t.id, t.in_flight, (SELECT COUNT(*) FROM capture c
              WHERE c.project = t.project AND c.trigger_uid = t.uid AND c.ended_at IS NULL) FROM agent_trigger t
            WHERE t.in_flight <> (SELECT COUNT(*) FROM capture c
              WHERE c.project = t.project AND c.trigger_uid = t.uid AND c.ended_at IS NULL)
            """
        ),
        (
            "places of ended runs",
            "SELECT COUNT(*) FROM run",
            """
            SELECT 'ended and still has', id, due_at, waits_at, claim_at, claim_until, idle_until FROM run
            WHERE ended_at IS NOT NULL AND (due_at IS NOT NULL OR waits_at IS NOT NULL OR claim_at IS NOT NULL
              OR claim_until IS NOT NULL OR idle_until IS NOT NULL)
            """
        ),
    ];

    /// <summary>Dense numbers, of which one is missing.</summary>
    public static readonly (string What, string Counted, string Sql)[] Gaps =
    [
        (
            "records",
            "SELECT COUNT(*) FROM record",
            """
            SELECT 'records', session, channel, COUNT(*), MAX(seq) FROM record
            GROUP BY project, session, channel HAVING COUNT(*) <> MAX(seq) + 1
            """
        ),
        (
            "out",
            "SELECT COUNT(*) FROM session",
            """
            SELECT 'out_next', s.id, s.out_next FROM session s
            WHERE s.out_next <> (SELECT COUNT(*) FROM record r
              WHERE r.project = s.project AND r.session = s.id AND r.channel = 'out')
            """
        ),
        (
            "messages",
            "SELECT COUNT(*) FROM message",
            """
            SELECT 'messages', session, COUNT(*), MAX(seq) FROM message
            GROUP BY project, session HAVING COUNT(*) <> MAX(seq)
            """
        ),
        (
            "timelines",
            "SELECT COUNT(*) FROM run_event",
            """
            SELECT 'timeline', run, COUNT(*), MAX(seq) FROM run_event
            GROUP BY project, run HAVING COUNT(*) <> MAX(seq)
            """
        ),
    ];
}
