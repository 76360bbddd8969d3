using Postern.Http;

namespace Postern.Runs;

[Strict]
internal sealed record ReportFailure(
    [Text("A stable code.", 1, 128)] string Code,
    [Text("What went wrong, for people.", 1, 4096, IsProse = true)] string? Message,
    [Text("The stage that failed.", 1, 128)] string? Stage
);
