using Postern.Approvals;
using Postern.Deliveries;
using Postern.Http;
using Postern.Runs;

namespace Postern.Pages;

/// <summary>
/// The rows of a run's picture: its phases, who claimed it and which leases were lost, each try of what was sent about
/// it, its questions with their wait and who decided, and what was refused.
/// </summary>
internal static class RunTimelineRows
{
    private const string Claimed = "claimed";
    private const string LeaseLost = "lease_lost";

    public static Timeline Of(RunModel model, long now)
    {
        var run = model.Run;
        var end = run.EndedAt ?? now;
        var rows = new List<TimelineRow>();
        AddPhases(rows, model, end);
        foreach (var question in model.Questions)
            Add(rows, question, end);
        foreach (var (delivery, attempts) in model.Deliveries)
            AddTries(rows, delivery, attempts);
        return new Timeline(run.CreatedAt, end, [.. rows.OrderBy(r => r.From)]);
    }

    private static void AddPhases(List<TimelineRow> rows, RunModel model, long end)
    {
        var run = model.Run;
        var (since, state, who) = (run.CreatedAt, StartOf(model), model.Events.FirstOrDefault()?.By.Credential ?? "");
        foreach (var e in model.Events)
        {
            if (!e.Accepted)
            {
                // Where the tries of deliveries are drawn, that one failed is said already.
                if (e.Code != DeliveryTrace.Failed || model.Deliveries.Count == 0)
                    rows.Add(new($"refused: {e.Type}", e.At, e.At, "refused", Who(e.By), e.Code ?? "", true));
                continue;
            }
            if (e.Type is Claimed or LeaseLost)
                rows.Add(Mark(e));
            if (e.To is not { } to || to == state)
                continue;
            // Where events are left out, what came before is only known from what it was changed from.
            rows.Add(InState(e.From ?? state, since, e.At, who, ""));
            (since, state, who) = (e.At, to, Who(e.By));
        }
        rows.Add(InState(state, since, end, who, run.IsEnded ? run.Reason ?? "" : ""));
    }

    private static TimelineRow InState(string state, long from, long to, string who, string outcome) =>
        new(state.Replace('_', ' '), from, to, state, who, outcome, false);

    private static TimelineRow Mark(RunEvent e) =>
        e.Type == Claimed
            ? new("claimed by a worker", e.At, e.At, "try", Who(e.By), $"attempt {e.Attempt}", false)
            : new("its lease was lost", e.At, e.At, "refused", Who(e.By), $"attempt {e.Attempt} begins", true);

    private static void Add(List<TimelineRow> rows, Approval question, long end)
    {
        var isPending = question.IsPending;
        rows.Add(
            new(
                "asks: " + Wire.Cut(question.Title ?? "May it go on?", 80),
                question.RequestedAt,
                isPending ? end : question.DecidedAt ?? question.ExpiresAt,
                Phase.Waiting,
                isPending ? "nobody yet" : question.DecidedBy ?? "the server",
                isPending ? "" : question.Status,
                Decision.Refuses(question.Status)
            )
        );
    }

    private static void AddTries(
        List<TimelineRow> rows,
        Delivery delivery,
        List<(long Number, Attempt Attempt)> attempts
    )
    {
        long? before = null;
        foreach (var (number, attempt) in attempts)
        {
            if (before is { } ended)
                rows.Add(new("waits to try again", ended, attempt.At, "pause", "schedule", "", false));
            before = attempt.At + (attempt.DurationMilliseconds * 1000);
            var (label, answer) = ($"{delivery.Type}, try {number}", Wire.Cut(attempt.Explanation, 200));
            rows.Add(
                new(
                    label,
                    attempt.At,
                    before.Value,
                    "try",
                    WebhookEndpoints.Shown(delivery.Endpoint),
                    answer,
                    !attempt.Arrived
                )
            );
        }
    }

    private static string StartOf(RunModel model) =>
        model.Events.FirstOrDefault(e => e is { Accepted: true, From: not null })?.From ?? model.Run.Status;

    private static string Who(Actor actor) => actor.Credential;
}
