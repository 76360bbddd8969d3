namespace Postern.Storage;

/// <summary>Who asks the database: each of the three has connections that the others cannot take.</summary>
internal enum Asker
{
    /// <summary>
    /// The server's own loops, and the commands beside it: all that is not said to be something else.
    /// </summary>
    Loop,

    /// <summary>A request.</summary>
    Request,

    /// <summary>What must go on whatever holds up the others: readiness, and the look for changed keys.</summary>
    Vital,
}
