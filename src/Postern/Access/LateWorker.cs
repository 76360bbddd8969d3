namespace Postern.Access;

/// <summary>
/// How a door answers a worker whose attempt has just lost its run. It does nothing for it in any case.
/// </summary>
internal enum LateWorker
{
    /// <summary>Like one without a credential.</summary>
    Refused,

    /// <summary>It is told what ended its run; an attempt that was superseded is refused.</summary>
    ToldTheEnd,

    /// <summary>Its report is answered with what became of the run, or that another attempt has it.</summary>
    Told,
}
