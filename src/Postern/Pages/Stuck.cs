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
/// What does not go on by itself as it should: a try of its dispatch failed; nobody asks for its work; half of its
/// silent time is gone without a word; it wants a run that cannot be made; a person has not answered for a while; or a
/// captured request lasts twice as long as its trigger's usually do. Each kind is found in an index of its own, the
/// oldest first, and at most <see cref="Most"/> of all are told.
/// </summary>
internal sealed class Stuck(Database database, ApprovalStore approvals, HiddenSubjects hidden)
{
    public const int Most = 1_000;

    /// <summary>How long a person may think before it is worth a look.</summary>
    public const long Unanswered = 10 * 60 * 1_000_000L;

    /// <summary>What lasts no longer than this is not stuck, however quick its trigger's others were.</summary>
    public const long Quick = 10 * 1_000_000L;

    /// <summary>Of a trigger of which too few have succeeded to say how long they last.</summary>
    public const long Usual = 10 * 60 * 1_000_000L;

    private const int MostAgents = 100;

    /// <summary>Oldest first.</summary>
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
            foreach (var (session, since) in await SessionLooks.WithoutRunAsync(tx, project, isAdmin, Most))
                Add(StuckThing.OfSession(session, since));
            return await SlowCaptures.FindAsync(tx, project, Quick, Usual, Most);
        });
        foreach (var approval in asked)
            Add(StuckThing.OfRun(approval.Run, approval.RequestedAt));
        foreach (var capture in captures)
        {
            // A request whose run is stuck is that run; one that waits behind another stands by itself.
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

    /// <summary>Runs whose agent does not answer, or has none who works for it, or is silent.</summary>
    private async ValueTask<List<StuckThing>> RunsAsync(Tx tx, string project, bool isAdmin)
    {
        var ofRun = SessionStore.ShownTo(isAdmin, "run");
        var ofDelivery = hidden.ShownTo(isAdmin, "delivery");
        var found = await DeliveryLooks.TriedAsync(tx, project, AgentDispatch.PurposeName, ofDelivery, Most);
        var since = tx.Now - WhyNotDone.WithoutWorker;
        foreach (var agent in await AgentStore.WithoutWorkerAsync(tx, project, since, MostAgents))
            found.AddRange(await RunLooks.ClaimableAsync(tx, project, agent, ofRun, Most));
        found.AddRange(await RunLooks.SilentAsync(tx, project, ofRun, Most));
        found.AddRange(await SessionLooks.SilentTurnsAsync(tx, project, isAdmin, Most));
        return [.. found.Select(f => StuckThing.OfRun(f.Item1, f.Item2))];
    }
}
