namespace Postern.Storage;

/// <summary>The three kinds of users of the database. Each has connections that the others cannot take.</summary>
internal enum Asker
{
    /// <summary>The server's own loops and the commands: everything that does not declare another kind.</summary>
    Loop,

    /// <summary>A request.</summary>
    Request,

    /// <summary>Work that must go on when the others are held up: readiness, and the check for changed keys.</summary>
    Vital,
}
