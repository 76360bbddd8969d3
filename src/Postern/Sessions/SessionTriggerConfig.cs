using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>How runs are started. Further members are kept and given back.</summary>
internal sealed record SessionTriggerConfig(
    [Chosen("What each run is given.")] JsonElement BasePayload,
    [Text("Kept and given back.", 1, 64)] string? Machine,
    [Text("Kept and given back.", 1, 128)] string? Queue,
    [Text("Kept and given back.", 1, 128)] string? LockToVersion,
    [Text("Kept and given back.", 1, 128)] string? Region,
    [Texts("Kept and given back.", 10, 128)] IReadOnlyList<string>? Tags,
    [Whole("Kept and given back.", 1, 10)] long? MaxAttempts,
    [Whole("Kept and given back.", 1, long.MaxValue)] long? MaxDuration,
    [Whole("Kept and given back.", 1, 3600)] long? IdleTimeoutInSeconds,
    [Text("Kept and given back.", 1, 256)] string? ConcurrencyKey
);
