using System.Text.Json;
using Postern.Access;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// The rows of triggers. A transaction that changes a count has locked the session's row before, as everybody does.
/// </summary>
internal sealed class TriggerStore(Database database, MasterKey master, RelayedTriggers relayed)
{
    /// <summary>The number of replaced secrets that are kept.</summary>
    private const int MaxRetired = 4;

    /// <summary>Decides which of its triggers a relay may reach.</summary>
    public RelayedTriggers Relayed => relayed;

    public static ValueTask<Trigger?> FindAsync(Tx tx, string project, TriggerName name) =>
        tx.FirstAsync(
            $"""
            SELECT {Row<Trigger>.Columns} FROM agent_trigger
            WHERE project = $1 AND kind = $2 AND owner = $3 AND id = $4
            """,
            Row<Trigger>.Read,
            project,
            name.Kind,
            name.Owner,
            name.Id
        );

    public ValueTask<Trigger?> FindAsync(string project, TriggerName name) =>
        database.ReadAsync(tx => FindAsync(tx, project, name));

    public static ValueTask<Trigger?> FindByUidAsync(Tx tx, string project, string uid) =>
        tx.FirstAsync(
            $"SELECT {Row<Trigger>.Columns} FROM agent_trigger WHERE project = $1 AND uid = $2",
            Row<Trigger>.Read,
            project,
            uid
        );

    /// <param name="onlyOpen">Only those that anybody may call now.</param>
    public ValueTask<List<Trigger>> ListAsync(string project, string after, int limit, bool onlyOpen = false) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<Trigger>.Columns} FROM agent_trigger
                WHERE project = $1 AND uid > $2
                  {(onlyOpen ? "AND mode = 'webhook' AND active = 1 AND auth_scheme IS NULL" : "")}
                ORDER BY uid LIMIT $3
                """,
                Row<Trigger>.Read,
                project,
                after,
                limit
            )
        );

    public static ValueTask<int> PutAsync(Tx tx, Trigger t)
    {
        tx.Notify(Topics.Doors);
        ListChanged(tx, t.Project);
        return tx.ExecuteAsync(
            $"""
            INSERT INTO agent_trigger ({Row<Trigger>.Columns}) VALUES ({Row<Trigger>.Parameters})
            ON CONFLICT (project, kind, owner, id) DO UPDATE
            SET agent = excluded.agent, settings = excluded.settings, template = excluded.template,
              active = excluded.active, mode = excluded.mode,
              cron = excluded.cron, zone = excluded.zone, session_mode = excluded.session_mode,
              session_key = excluded.session_key, auth_scheme = excluded.auth_scheme,
              auth_header = excluded.auth_header,
              auth_sealed = excluded.auth_sealed, auth_form = excluded.auth_form, filter = excluded.filter,
              methods = excluded.methods, max_in_flight = excluded.max_in_flight,
              deadline_seconds = excluded.deadline_seconds,
              rate_limit = excluded.rate_limit, next_at = excluded.next_at, due_at = excluded.due_at,
              updated_at = excluded.updated_at, schedule_problem = NULL,
              delivery_id_header = excluded.delivery_id_header, retired_sealed = excluded.retired_sealed,
              auth_changed_at = excluded.auth_changed_at, auth_changed_by = excluded.auth_changed_by
            """,
            Row<Trigger>.Values(t with { CreatedAt = tx.Now, UpdatedAt = tx.Now })
        );
    }

    /// <summary>
    /// Deletes the trigger; its captures cannot be found any more and are removed soon (<see cref="RemovedTriggers"/>).
    /// Sessions and live runs go on.
    /// </summary>
    public static async ValueTask<bool> DeleteAsync(Tx tx, Trigger t)
    {
        // A change that has read the trigger would write it anew, and nobody would know that it is there again.
        await ProjectQuota.LockAsync(tx, t.Project);
        tx.Notify(Topics.Doors);
        ListChanged(tx, t.Project);
        tx.Notify(Topics.Captures(t.Project, t.Uid));
        if (await tx.ExecuteAsync("DELETE FROM agent_trigger WHERE project = $1 AND uid = $2", t.Project, t.Uid) == 0)
            return false;
        RemovedTriggers.Add(tx, t);
        return true;
    }

    /// <summary>Counts one more capture, which takes no place.</summary>
    public static void Count(Tx tx, Trigger t)
    {
        ListChanged(tx, t.Project);
        tx.Queue(
            "UPDATE agent_trigger SET received = received + 1, last_at = $3 WHERE project = $1 AND uid = $2",
            t.Project,
            t.Uid,
            tx.Now
        );
    }

    /// <summary>
    /// Counts one more capture that is under way. When all places are taken or the trigger is gone, the transaction
    /// ends with <see cref="TriggerFullException"/>.
    /// </summary>
    public static void TakePlace(Tx tx, Trigger t)
    {
        ListChanged(tx, t.Project);
        tx.QueueOne(
            () => new TriggerFullException(),
            """
            UPDATE agent_trigger
            SET received = received + 1, last_at = $3, in_flight = in_flight + 1
            WHERE project = $1 AND uid = $2 AND in_flight < max_in_flight
            """,
            t.Project,
            t.Uid,
            tx.Now
        );
    }

    public static ValueTask<int> FreeAsync(Tx tx, string project, string uid, long places)
    {
        ListChanged(tx, project);
        return tx.ExecuteAsync(
            """
            UPDATE agent_trigger
            SET in_flight = CASE WHEN in_flight > $3 THEN in_flight - $3 ELSE 0 END
            WHERE project = $1 AND uid = $2
            """,
            project,
            uid,
            places
        );
    }

    /// <summary>Announces that the list of triggers has changed.</summary>
    private static void ListChanged(Tx tx, string project) => tx.Notify(Topics.List(project, "triggers"));

    /// <summary>Claims due schedules for one node.</summary>
    public ValueTask<List<Trigger>> DueAsync(int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"SELECT {Row<Trigger>.Columns} FROM agent_trigger WHERE due_at <= $1 ORDER BY due_at LIMIT $2",
                Row<Trigger>.Read,
                tx.Now,
                limit
            )
        );

    /// <summary>Returns active webhooks, ordered by project and uid.</summary>
    public ValueTask<List<Trigger>> WebhooksAsync(string project, string uid, int limit) =>
        ActiveAsync(Trigger.Webhook, project, uid, limit);

    /// <summary>Returns active schedules, ordered by project and uid.</summary>
    public ValueTask<List<Trigger>> ScheduledAsync(string project, string uid, int limit) =>
        ActiveAsync(Trigger.Scheduled, project, uid, limit);

    /// <summary>The mode is part of the text, because each has an index of its own.</summary>
    private ValueTask<List<Trigger>> ActiveAsync(string mode, string project, string uid, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<Trigger>.Columns} FROM agent_trigger
                WHERE (project, uid) > ($1, $2) AND mode = '{mode}' AND active = 1
                ORDER BY project, uid LIMIT $3
                """,
                Row<Trigger>.Read,
                project,
                uid,
                limit
            )
        );

    /// <summary>
    /// Claims an occurrence and marks the schedule as well. Returns false when another node has it or the schedule was
    /// changed.
    /// </summary>
    public static async ValueTask<bool> AdvanceAsync(Tx tx, Trigger t, long? nextAt, long? dueAt)
    {
        ListChanged(tx, t.Project);
        return await tx.ExecuteAsync(
                """
                UPDATE agent_trigger SET next_at = $4, due_at = $5, schedule_problem = NULL
                WHERE project = $1 AND uid = $2 AND COALESCE(due_at, -1) = $3 AND active = 1
                """,
                t.Project,
                t.Uid,
                t.DueAt ?? -1,
                nextAt,
                dueAt
            ) == 1;
    }

    /// <summary>Stores that it cannot go on now; it is tried again later.</summary>
    public static async ValueTask<bool> PutOffAsync(Tx tx, Trigger t, long dueAt, string problem)
    {
        ListChanged(tx, t.Project);
        return await tx.ExecuteAsync(
                """
                UPDATE agent_trigger SET due_at = $4, schedule_problem = $5
                WHERE project = $1 AND uid = $2 AND COALESCE(due_at, -1) = $3 AND active = 1
                """,
                t.Project,
                t.Uid,
                t.DueAt ?? -1,
                dueAt,
                problem
            ) == 1;
    }

    public byte[] Protect(string project, string uid, IReadOnlyList<string> secrets) =>
        master.Protect(JsonSerializer.Serialize(secrets), Trigger.SealPurpose(project, uid));

    /// <summary>Returns the replaced secrets of a trigger, the newest first, sealed: of one scheme, and few.</summary>
    /// <param name="before">With the secrets that it had.</param>
    /// <param name="secrets">Those that it has from now on.</param>
    public byte[]? Retire(Trigger before, IReadOnlyList<string> secrets)
    {
        string[] gone =
        [
            .. Unsealed(before, before.AuthSealed).Concat(Unsealed(before, before.RetiredSealed)).Except(secrets),
        ];
        return gone.Length == 0 ? null : Protect(before.Project, before.Uid, gone[..Math.Min(gone.Length, MaxRetired)]);
    }

    /// <summary>Returns how its senders sign, or null without authentication.</summary>
    public SignatureRule? RuleOf(Trigger t) =>
        t.AuthScheme is null
            ? null
            : new SignatureRule(
                SignatureScheme.Of(t.AuthScheme)
                    ?? throw new InvalidOperationException(
                        $"The scheme {t.AuthScheme} of {t.Name.Scope} is none that this version knows."
                    ),
                Unsealed(t, t.AuthSealed),
                t.AuthHeader,
                t.AuthForm
            )
            {
                Retired = Unsealed(t, t.RetiredSealed),
            };

    private string[] Unsealed(Trigger t, byte[]? secrets) =>
        secrets is null
            ? []
            : JsonSerializer.Deserialize<string[]>(master.Unprotect(secrets, Trigger.SealPurpose(t.Project, t.Uid)))
                ?? [];
}
