using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Bulk;

[Strict]
internal sealed record AskBulk(
    [Word(
        "What is done to each.",
        "runs.cancel",
        "runs.retry",
        "sessions.close",
        "captures.replay",
        "deliveries.retry",
        "deliveries.cancel"
    )]
        string Action,
    [Chosen("Which: names of filters, each with a text or a list of texts.", IsMended = false)] JsonElement Filter,
    [Text("Why, for people.", 1, BulkJob.MaxReason)] string? Reason,
    [Member("Only finds what would be touched, and answers with the mark.")] bool? Preview,
    [Text("The mark of the preview; required without preview.", 1, 64)] string? Mark
);

internal sealed record BulkPreview(
    [Member("How many were found: at most 10,000.")] long Matched,
    [Member("There may be more; these are the newest.")] bool Capped,
    [Member("The ids of the first five.")] IReadOnlyList<string> Sample,
    [Member("Starts it, within 15 minutes.")] string Mark
);

internal sealed record BulkStarted([Member("The job's id.")] string Id, [Member("Its items.")] long Matched);

internal sealed record BulkReason(
    [Member("The code of the reason.")] string Code,
    [Member("The reason, for people.")] string Text,
    [Member("Items that were skipped for it.")] long Count,
    [Member("One of them.")] string Item
);

internal sealed record BulkView
{
    [Member("The job's id.")]
    public required string Id { get; init; }

    [Member("What is done to each.")]
    public required string Action { get; init; }

    [Member("Which: names of filters, each with its values.")]
    public required IReadOnlyDictionary<string, string[]> Filter { get; init; }

    [Word("How it stands.", BulkJob.Running, BulkJob.Done, BulkJob.Stopped)]
    public required string Status { get; init; }

    [Member("Its items: those that the preview found.")]
    public required long Matched { get; init; }

    [Member("Items that were done.")]
    public required long Done { get; init; }

    [Member("Items that were left as they are, each for a reason.")]
    public required long Skipped { get; init; }

    [Member("Items that are still to come.")]
    public required long Left { get; init; }

    [Member("Of deliveries that were sent again, those that have arrived; with deliveries.retry alone.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Arrived { get; init; }

    [Member("The kind of credential that started it.")]
    public required string Credential { get; init; }

    [Member("Who started it.")]
    public required string Actor { get; init; }

    [Member("Why, as it was given.")]
    public required string? Reason { get; init; }

    [Member("Why it was stopped.")]
    public required string? StoppedBecause { get; init; }

    [At("When it was started.")]
    public required string CreatedAt { get; init; }

    [At("When it ended.")]
    public required string? EndedAt { get; init; }

    [Member("Why items were skipped, the most frequent reason first. Not in lists.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<BulkReason>? Reasons { get; init; }

    public static BulkView Of(BulkJob job, IReadOnlyList<SkipCount>? skipped = null) =>
        new()
        {
            Id = job.Id,
            Action = job.Action,
            Filter = job.Filter.Given.ToDictionary(StringComparer.Ordinal),
            Status = job.Status,
            Matched = job.Matched,
            Done = job.DoneCount,
            Skipped = job.SkippedCount,
            Left = job.Left,
            Arrived = job.Action == DeliveryBulk.Retry ? job.ArrivedCount : null,
            Credential = job.By.Credential,
            Actor = job.By.Actor,
            Reason = job.Reason,
            StoppedBecause = job.StoppedBecause,
            CreatedAt = Wire.Iso(job.CreatedAt),
            EndedAt = Wire.Iso(job.EndedAt),
            Reasons = skipped is null
                ? null
                : [.. skipped.Select(s => new BulkReason(s.Skip.Code, s.Skip.Message, s.Count, s.Item))],
        };
}
