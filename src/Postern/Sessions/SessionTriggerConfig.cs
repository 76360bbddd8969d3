using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>How runs are started. Further members are kept and given back.</summary>
internal sealed record SessionTriggerConfig
{
    [Chosen("What each run is given.")]
    public required JsonElement BasePayload { get; init; }

    [Text("Kept and given back.", 1, 64)]
    public string? Machine { get; init; }

    [Text("Kept and given back.", 1, 128)]
    public string? Queue { get; init; }

    [Text("Kept and given back.", 1, 128)]
    public string? LockToVersion { get; init; }

    [Text("Kept and given back.", 1, 128)]
    public string? Region { get; init; }

    [Texts("Kept and given back.", 10, 128)]
    public IReadOnlyList<string>? Tags { get; init; }

    [Whole("Kept and given back.", 1, 10)]
    public long? MaxAttempts { get; init; }

    [Whole("Kept and given back.", 1, long.MaxValue)]
    public long? MaxDuration { get; init; }

    [Whole("Kept and given back.", 1, 3600)]
    public long? IdleTimeoutInSeconds { get; init; }

    [Text("Kept and given back.", 1, 256)]
    public string? ConcurrencyKey { get; init; }
}
