using Postern.Http;

namespace Postern.Dispatch;

[Strict]
internal sealed record CancelRun([Text("Why, for people.", 1, 1024)] string? Reason);
