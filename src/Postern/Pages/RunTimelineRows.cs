using Postern.Http;
using Postern.Runs;

namespace Postern.Pages;

/// <summary>The rows of a run's picture: its phases, each try of its deliveries, and refused reports.</summary>
internal static class RunTimelineRows
{
    public static Timeline Of(RunModel model, long now)
    {
        var run = model.Run;
        var end = run.EndedAt ?? now;
        var rows = new List<TimelineRow>();
        var (since, state, who) = (run.CreatedAt, StartOf(model), model.Events.FirstOrDefault()?.By.Credential ?? "");
        foreach (var e in model.Events)
        {
            if (!e.Accepted)
                rows.Add(new($"refused: {e.Type}", e.At, e.At, "refused", Who(e.By), e.Code ?? "", true));
            else if (e.To is { } to && to != state)
            {
                rows.Add(new(state, since, e.At, state, who, "", false));
                (since, state, who) = (e.At, to, Who(e.By));
            }
        }
        rows.Add(new(state, since, end, state, who, run.IsEnded ? run.Reason ?? "" : "", false));
        foreach (var (delivery, attempts) in model.Deliveries)
            AddTries(rows, delivery, attempts);
        return new Timeline(run.CreatedAt, end, [.. rows.OrderBy(r => r.From)]);
    }

    private static void AddTries(
        List<TimelineRow> rows,
        Deliveries.Delivery delivery,
        List<(long Number, Deliveries.Attempt Attempt)> attempts
    )
    {
        long? before = null;
        foreach (var (number, attempt) in attempts)
        {
            if (before is { } ended)
                rows.Add(new("waits to try again", ended, attempt.At, "pause", "schedule", "", false));
            before = attempt.At + (attempt.DurationMilliseconds * 1000);
            var (label, answer) = ($"{delivery.Type}, try {number}", Wire.Cut(attempt.Words, 200));
            rows.Add(new(label, attempt.At, before.Value, "try", delivery.Endpoint, answer, !attempt.Arrived));
        }
    }

    private static string StartOf(RunModel model) =>
        model.Events.FirstOrDefault(e => e is { Accepted: true, From: not null })?.From ?? model.Run.Status;

    private static string Who(Actor actor) => actor.Credential;
}
