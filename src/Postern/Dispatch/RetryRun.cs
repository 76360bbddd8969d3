using Postern.Http;

namespace Postern.Dispatch;

[Strict]
internal sealed record RetryRun(
    [Text("The same id again is the same retry.", 1, 255)] string ClientRequestId,
    [Text("A word for the agent, given with the next attempt.", 1, 256)] string? Profile
);
