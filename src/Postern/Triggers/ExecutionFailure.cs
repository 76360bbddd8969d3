using Postern.Http;

namespace Postern.Triggers;

/// <summary>Why an execution failed, in its worker's words.</summary>
internal sealed record ExecutionFailure(
    [Text("The stage that failed.", 1, 128)] string? Stage,
    [Text("A stable code.", 1, 128)] string? Code,
    [Text("What went wrong, for people.", 1, 4096, IsProse = true)] string? Message,
    [Text("Not looked at.", 1, 128)] string? Subtype,
    [Whole("Not looked at.", 0, 1_000_000)] long? Attempts
);
