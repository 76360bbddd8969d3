using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

[Strict]
internal sealed record ReportStatus(
    [Text("The state of the run's workflow that it moves to.", 1, 64)] string Status,
    [Text("The same id again is the same report.", 1, 255)] string? EventId,
    [At("When it happened: RFC 3339 with an offset. An older report than the last one is refused.")] long? OccurredAt,
    [AnyJson("The run's output: any JSON.", IsMended = true, MaxBytes = RunReports.MaxOutput)] JsonElement? Output,
    [Member("Why the run failed.")] ReportFailure? Failure,
    [Number("How much is done, from 0 to 1.", 0, 1)] decimal? Progress,
    [Whole("The attempt that the report is of.", 1, int.MaxValue, HasManySpellings = true)] long? Attempt,
    [Chosen("Artifacts by their names, added to those there are.")] JsonElement? Artifacts
);
