namespace Postern.Storage;

/// <summary>How a statement of a migration runs on a database that other nodes are using.</summary>
internal enum PostgresStepKind
{
    /// <summary>In a transaction, with a short wait for its locks.</summary>
    Changes,

    /// <summary>Outside a transaction, <c>CONCURRENTLY</c>; can be repeated.</summary>
    BuildsIndex,

    /// <inheritdoc cref="BuildsIndex"/>
    DropsIndex,

    /// <summary>By ranges of blocks, each a transaction; can be repeated.</summary>
    FillsRows,
}
