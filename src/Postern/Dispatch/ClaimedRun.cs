using System.Text.Json;
using Postern.Http;
using Postern.Runs;

namespace Postern.Dispatch;

/// <summary>The data of a run for its worker, whether the worker is called or has claimed it.</summary>
internal sealed record ClaimedRun(
    [Member("The run.")] DispatchedRun Run,
    [Member("The session that the run works in.", MayBeAbsent = true)] DispatchedSession? Session,
    [Member("Where the worker appends what it says.", MayBeAbsent = true)] DispatchedUrl? Out,
    [Member("Where the worker reports, and with which headers.")] DispatchedCallback Callback,
    [Chosen("The trigger that started the run, and its request.", MayBeAbsent = true)] JsonElement? Trigger,
    [Member("The token of this attempt.")] string Token,
    [Member("Seconds of the lease: each heartbeat begins it anew.")] long LeaseSeconds,
    [At("Until when the run is the worker's.")] string LeaseUntil
);
