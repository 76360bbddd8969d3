using Postern.Agents;
using Postern.Approvals;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>
/// Finds what does not go on by itself as it should. The kinds: a try of its dispatch failed; no worker asks for its
/// work; half of its silent time has passed without a report; it needs a run that cannot be made; a person has not
/// answered for a while; a captured request takes twice as long as others of its trigger. Each kind has an index of its
/// own and is found oldest first. At most <see cref="Most"/> of all are shown.
/// </summary>
internal sealed class Stuck(Database database, ApprovalStore approvals, HiddenSubjects hidden)
{
    public const int Most = 1_000;

    /// <summary>How long a person may think before a question counts as stuck.</summary>
    public const long Unanswered = 10 * 60 * 1_000_000L;

    /// <summary>What takes no longer than this is not stuck, however quick the trigger's other requests were.</summary>
    public const long Quick = 10 * 1_000_000L;

    /// <summary>The limit for a trigger of which too few requests have succeeded to know how long they take.</summary>
    public const long Usual = 10 * 60 * 1_000_000L;

    private const int MostAgents = 100;

    /// <summary>Returns what is stuck, oldest first.</summary>
    /// <param name="project">Whose.</param>
    /// <param name="isAdmin">Sees what belongs to internal sessions too.</param>
    public async ValueTask<IReadOnlyList<StuckThing>> FindAsync(string project, bool isAdmin)
    {
        var found = new Dictionary<string, StuckThing>(StringComparer.Ordinal);
        var asked = await approvals.PendingSinceAsync(project, database.Now - Unanswered, isAdmin, Most);
        var captures = await database.ReadAsync(async tx =>
        {
            foreach (var thing in await RunsAsync(tx, project, isAdmin))
                Add(thing);
            foreach (var (session, since) in await SessionQueries.WithoutRunAsync(tx, project, isAdmin, Most))
                Add(StuckThing.OfSession(session, since));
            return await SlowCaptures.FindAsync(tx, project, Quick, Usual, Most);
        });
        foreach (var approval in asked)
            Add(StuckThing.OfRun(approval.Run, approval.RequestedAt));
        foreach (var capture in captures)
        {
            // A request whose run is stuck is shown as that run. A request that waits behind another is shown by
            // itself.
            var isAhead = capture.Run is not null && !capture.IsBehind;
            if (isAhead && found.ContainsKey(capture.Run!))
                continue;
            found.Remove(capture.Session ?? "");
            Add(isAhead ? StuckThing.OfRun(capture.Run!, capture.At) : StuckThing.OfCapture(capture.Id, capture.At));
        }
        return [.. found.Values.OrderBy(t => t.Since).ThenBy(t => t.Id, StringComparer.Ordinal).Take(Most)];

        void Add(StuckThing thing)
        {
            if (!found.TryGetValue(thing.Id, out var known) || known.Since > thing.Since)
                found[thing.Id] = thing;
        }
    }

    /// <summary>Runs whose agent does not answer, has no worker, or is silent.</summary>
    private async ValueTask<List<StuckThing>> RunsAsync(Tx tx, string project, bool isAdmin)
    {
        var ofRun = SessionStore.ShownTo(isAdmin, "run");
        // The dispatch of a run that has ended meanwhile is pending until its next try.
        var (isLive, isShown) = (RunStore.IsLive("delivery.project", "delivery.subject"), "");
        if (hidden.ShownTo(isAdmin, "delivery") is { } shown)
            isShown = shown + " AND ";
        var found = await DeliveryQueries.TriedAsync(tx, project, AgentDispatch.PurposeName, isShown + isLive, Most);
        var since = tx.Now - WhyNotDone.WithoutWorker;
        foreach (var agent in await AgentStore.WithoutWorkerAsync(tx, project, since, MostAgents))
            found.AddRange(await RunQueries.ClaimableAsync(tx, project, agent, ofRun, Most));
        found.AddRange(await RunQueries.SilentAsync(tx, project, ofRun, Most));
        found.AddRange(await SessionQueries.SilentTurnsAsync(tx, project, isAdmin, Most));
        return [.. found.Select(f => StuckThing.OfRun(f.Item1, f.Item2))];
    }
}
