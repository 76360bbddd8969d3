namespace Postern.Storage;

/// <summary>The database was written by a newer Postern than this one.</summary>
internal sealed class SchemaTooNewException(string where, int has, int knows)
    : Exception(
        $"The database {where} has schema {has}; this binary knows {knows}. Start the newer Postern, or restore a "
            + "backup made before the upgrade."
    );
