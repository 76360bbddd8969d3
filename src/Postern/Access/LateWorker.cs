namespace Postern.Access;

/// <summary>
/// How a door answers a worker whose attempt has just lost its run. In no case does the door do anything for it.
/// </summary>
internal enum LateWorker
{
    /// <summary>As if it had no credential.</summary>
    Refused,

    /// <summary>It is told how its run ended; a superseded attempt is refused.</summary>
    ToldTheEnd,

    /// <summary>
    /// Its report is answered with the run's outcome, or with the fact that another attempt has the run.
    /// </summary>
    Told,
}
