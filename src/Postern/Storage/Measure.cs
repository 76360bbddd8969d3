namespace Postern.Storage;

/// <summary>
/// The quantities that a node counts. There are at most 30, so that one minute of a project is at most 30 rows for each
/// node. A name (<see cref="MeasureKind"/>) is stored, so it must not change.
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
