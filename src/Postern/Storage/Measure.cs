namespace Postern.Storage;

/// <summary>
/// What a node counts. There are at most 30, so that a project's minute is at most 30 rows a node; a name
/// (<see cref="MeasureKind"/>) is stored and is not changed.
/// </summary>
internal enum Measure
{
    RunsCreated,
    RunsSucceeded,
    RunsFailed,
    RunsCancelled,
    RunsTimedOut,
    RunLatency,
    RunQueued,
    ApprovalWait,
    CapturesTaken,
    CapturesFiltered,
    CapturesSucceeded,
    CapturesFailed,
    DeliveriesDelivered,
    DeliveriesDead,
    DeliveriesPostponed,
    DeliveryLatency,
    RefusedMissing,
    RefusedCredential,
    RefusedEnded,
    RefusedSignature,
    RefusedScope,
    RefusedRate,
    OpenStreams,
    WriterQueue,
    CommitTime,
    Memory,
    ServerErrors,
    ProjectsLeftOut,
}
