using Postern.Http;

namespace Postern.Dispatch;

[Strict]
internal sealed record ClaimRuns(
    [Whole("How many runs at most.", 1, 100, Default = 1)] long Max,
    [Whole("Seconds to wait until there is one.", 0, 55, Default = 0)] long WaitSeconds,
    [Whole("Seconds until a run is offered again, unless a heartbeat comes.", 5, 3600, Default = 60)] long LeaseSeconds
);
