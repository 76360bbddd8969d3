using Postern.Http;
using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

internal sealed record PlaneBacklogView(
    [Member("Requests without an answer.")] long Envelopes,
    [Member("Their bytes.")] long Bytes,
    [At("When the oldest of them came.")] string? OldestAt,
    [Member("Requests that the relay stores at most.")] long MostEnvelopes,
    [Member("Bytes that it stores at most.")] long MostBytes,
    [Member("How much of it is used, in percent.")] long Percent
)
{
    public static PlaneBacklogView? Of(BacklogSize? backlog, BacklogQuota? quota) =>
        backlog is null || quota is null
            ? null
            : new PlaneBacklogView(
                backlog.Envelopes,
                backlog.Bytes,
                Wire.Iso(backlog.Oldest * 1000),
                quota.Envelopes,
                quota.Bytes,
                quota.Percent(backlog)
            );
}
