using Postern.Http;

namespace Postern.Deliveries;

internal sealed record AttemptView(
    [Member("The number of the attempt, from 1.")] long Number,
    [At("When it was made.")] string At,
    [Member("Milliseconds that it took.")] long DurationMs,
    [Member("The HTTP status of the answer; null without one.")] int? Status,
    [Member("What became of it.")] string Category,
    [Member("The beginning of the answer.")] string? Response
);
