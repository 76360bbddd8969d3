namespace Postern.Storage;

/// <summary>Numbers of the whole database, each with its name.</summary>
internal static class MetaNumbers
{
    /// <summary>Counts the changes of access: keys, tokens, secrets.</summary>
    public const string AccessVersion = "access_version";

    /// <summary>Takes the next value of a number. Its row stays locked until the transaction ends.</summary>
    public static ValueTask<long> NextAsync(Tx tx, string name) =>
        tx.FirstAsync(
            """
            INSERT INTO meta (name, number)
            VALUES ($1, 1)
            ON CONFLICT (name) DO UPDATE
            SET number = meta.number + 1
            RETURNING number
            """,
            r => r.GetInt64(0),
            name
        );

    /// <summary>Locks the row of a number until the transaction ends.</summary>
    public static async ValueTask LockAsync(Tx tx, string name) =>
        await tx.FirstAsync($"SELECT number FROM meta WHERE name = $1{tx.ForUpdate}", r => r.GetInt64(0), name);

    /// <summary>Returns the access version and the database's schema.</summary>
    public static ValueTask<(long Access, long Schema)> VersionsAsync(Tx tx) =>
        tx.FirstAsync(
            """
            SELECT COALESCE(MAX(CASE WHEN name = 'access_version' THEN number END), 0),
              COALESCE(MAX(CASE WHEN name = 'schema_version' THEN number END), 0)
            FROM meta WHERE name IN ('access_version', 'schema_version')
            """,
            r => (r.GetInt64(0), r.GetInt64(1))
        );
}
