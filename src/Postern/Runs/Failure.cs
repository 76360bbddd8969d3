using Postern.Http;

namespace Postern.Runs;

/// <summary>Why a run or an attempt failed, in the worker's words.</summary>
internal sealed record Failure(
    [Member("A stable code.")] string Code,
    [Member("What went wrong, for people.")] string? Message = null,
    [Member("The stage that failed.")] string? Stage = null
);
