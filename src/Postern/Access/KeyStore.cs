using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// Stores keys, revocations and used tokens. Each change takes the next number of <c>access_version</c> in its
/// transaction and writes it into its row. A node that reads the number knows which rows to read again, and cannot miss
/// a change that commits late.
/// </summary>
internal sealed class KeyStore(Database database)
{
    /// <summary>The most addresses of a key that are stored.</summary>
    private const long MaxAddresses = 100;

    /// <summary>The most uses that one transaction writes.</summary>
    private const int MarkedAtOnce = 200;

    public static string SealPurpose(string project, string keyId) => $"key:{project}:{keyId}";

    /// <summary>Takes the next access version, inside the transaction that changes access.</summary>
    public static async ValueTask<long> NextVersionAsync(Tx tx)
    {
        tx.Notify(Topics.Access);
        return await MetaNumbers.NextAsync(tx, MetaNumbers.AccessVersion);
    }

    /// <summary>Returns the access version and the database's schema.</summary>
    public ValueTask<(long Access, long Schema)> VersionsAsync(CancellationToken cancel) =>
        database.ReadAsync(MetaNumbers.VersionsAsync, cancel);

    /// <summary>
    /// Begins a change of access. All such changes run one after another until the transaction ends, and the caller is
    /// checked again by its key's row. So of a change and the revocation of its author, one comes first, on any number
    /// of nodes.
    /// </summary>
    /// <param name="by">Null: the command line, or the server itself.</param>
    /// <exception cref="AuthorityEndedException">The key is no longer good for what it was let in for.</exception>
    public static async ValueTask BeginChangeAsync(Tx tx, ProjectCaller? by, MasterKey master)
    {
        if (by?.Authority.Grant is not { } grant)
            return;
        await MetaNumbers.LockAsync(tx, MetaNumbers.AccessVersion);
        var row = await FindAsync(tx, grant.Key.Row.Id);
        var reason = row is null ? StreamEnd.Revoked : by.WhyStopped(grant.As(new KeyEntry(row, master)));
        if (reason is not null)
            throw new AuthorityEndedException(reason);
    }

    public ValueTask<KeyRow?> FindAsync(string keyId) => database.ReadAsync(tx => FindAsync(tx, keyId));

    public static ValueTask<KeyRow?> FindAsync(Tx tx, string keyId) =>
        tx.FirstAsync($"SELECT {Row<KeyRow>.Columns} FROM api_key WHERE id = $1", Row<KeyRow>.Read, keyId);

    public ValueTask<KeyRow?> FindRootAsync(string project) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                $"SELECT {Row<KeyRow>.Columns} FROM api_key WHERE project = $1 AND kind = 'root'",
                Row<KeyRow>.Read,
                project
            )
        );

    /// <summary>Returns the keys that changed after a version, page by page.</summary>
    public IAsyncEnumerable<List<KeyRow>> ChangedSinceAsync(long version) =>
        AccessPages.ReadAsync(
            version,
            from =>
                database.ReadAsync(tx =>
                    tx.ListAsync(
                        $"""
                        SELECT {Row<KeyRow>.Columns} FROM api_key
                        WHERE changed > $1 ORDER BY changed LIMIT {AccessPages.Size}
                        """,
                        Row<KeyRow>.Read,
                        from
                    )
                ),
            row => row.Changed
        );

    /// <summary>Returns the revocations after a version, page by page.</summary>
    /// <param name="now">What has run out by itself is left out. Microseconds.</param>
    public IAsyncEnumerable<List<RevocationRow>> RevocationsSinceAsync(long version, long now) =>
        AccessPages.ReadAsync(
            version,
            from =>
                database.ReadAsync(tx =>
                    tx.ListAsync(
                        $"""
                        SELECT project, kind, value, issued_before, until, changed
                        FROM revocation
                        WHERE changed > $1 AND until > $2
                        ORDER BY changed LIMIT {AccessPages.Size}
                        """,
                        r => new RevocationRow(
                            r.GetString(0),
                            r.GetString(1),
                            r.GetString(2),
                            r.LongOrNull(3),
                            r.GetInt64(4),
                            r.GetInt64(5)
                        ),
                        from,
                        now
                    )
                ),
            row => row.Changed
        );

    public ValueTask<List<KeyRow>> ListAsync(string project, long beforeAt, string beforeId, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<KeyRow>.Columns} FROM api_key WHERE project = $1 AND revoked_at IS NULL
                  AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4
                """,
                Row<KeyRow>.Read,
                project,
                beforeAt,
                beforeId,
                limit
            )
        );

    /// <summary>Returns keys whose ids begin with a text, including ended ones.</summary>
    public ValueTask<List<KeyRow>> BeginningWithAsync(string project, string text, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<KeyRow>.Columns} FROM api_key
                WHERE project = $1 AND id >= $2 AND id < $3
                ORDER BY id LIMIT $4
                """,
                Row<KeyRow>.Read,
                project,
                text,
                text + "~",
                (long)limit
            )
        );

    public static async ValueTask InsertAsync(Tx tx, KeyRow key)
    {
        var version = await NextVersionAsync(tx);
        await tx.ExecuteAsync(
            $"INSERT INTO api_key ({Row<KeyRow>.Columns}) VALUES ({Row<KeyRow>.Parameters})",
            Row<KeyRow>.Values(key with { Changed = version })
        );
    }

    /// <summary>
    /// Gives the key a new secret; the old one stays valid until a time. Returns false when there is no such live key.
    /// </summary>
    public static async ValueTask<bool> RotateAsync(
        Tx tx,
        string project,
        string keyId,
        byte[] salt,
        byte[] digest,
        byte[]? sealedKey,
        long previousUntil
    )
    {
        var version = await NextVersionAsync(tx);
        return await tx.ExecuteAsync(
                """
                UPDATE api_key
                SET previous_salt = salt, previous_digest = digest, previous_sealed = sealed, previous_until = $3,
                  salt = $4, digest = $5, sealed = $6, changed = $7
                WHERE project = $1 AND id = $2 AND revoked_at IS NULL
                """,
                project,
                keyId,
                previousUntil,
                salt,
                digest,
                sealedKey,
                version
            ) == 1;
    }

    public static async ValueTask<bool> UpdateAsync(Tx tx, string project, string keyId, KeyChange change)
    {
        var version = await NextVersionAsync(tx);
        return await tx.ExecuteAsync(
                """
                UPDATE api_key SET name = COALESCE($3, name), scopes = COALESCE($4, scopes),
                  expires_at = CASE WHEN $5 = 1 THEN NULL ELSE COALESCE($6, expires_at) END, changed = $7
                WHERE project = $1 AND id = $2 AND revoked_at IS NULL AND kind <> 'root'
                """,
                project,
                keyId,
                change.Name,
                change.Scopes is null ? null : JsonSerializer.Serialize(change.Scopes),
                change.EndsNever ? 1L : 0L,
                change.ExpiresAt,
                version
            ) == 1;
    }

    public static async ValueTask<bool> RevokeAsync(Tx tx, string project, string keyId)
    {
        var version = await NextVersionAsync(tx);
        return await tx.ExecuteAsync(
                """
                UPDATE api_key
                SET revoked_at = $3, changed = $4
                WHERE project = $1 AND id = $2 AND revoked_at IS NULL AND kind <> 'root'
                """,
                project,
                keyId,
                tx.Now,
                version
            ) == 1;
    }

    /// <summary>
    /// Written late, with the precision of a minute, and never back in time. No decision depends on it.
    /// </summary>
    public async Task MarkUsedAsync(IReadOnlyCollection<(string Project, string Id, long At)> used)
    {
        // Always in the same order, so that two nodes do not wait for each other.
        foreach (var some in used.OrderBy(u => (u.Project, u.Id)).Chunk(MarkedAtOnce))
            await database.WriteAsync(tx => MarkUsedAsync(tx, some));
    }

    private static async ValueTask<int> MarkUsedAsync(Tx tx, (string Project, string Id, long At)[] used)
    {
        foreach (var (project, id, at) in used)
            await tx.ExecuteAsync(
                """
                UPDATE api_key
                SET last_used_at = $3
                WHERE project = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3)
                """,
                project,
                id,
                at
            );
        return used.Length;
    }

    /// <summary>Stores the addresses from which keys were used: the last hundred of each key.</summary>
    public async Task MarkAddressesAsync(IReadOnlyCollection<(string Project, string Id, string Address, long At)> used)
    {
        foreach (var some in used.OrderBy(u => (u.Project, u.Id, u.Address)).Chunk(MarkedAtOnce))
            await database.WriteAsync(tx => MarkAddressesAsync(tx, some));
    }

    private static async ValueTask<int> MarkAddressesAsync(
        Tx tx,
        (string Project, string Id, string Address, long At)[] used
    )
    {
        foreach (var (project, id, address, at) in used)
            await tx.ExecuteAsync(
                """
                INSERT INTO key_address (project, key, address, first_at, last_at) VALUES ($1, $2, $3, $4, $4)
                ON CONFLICT (project, key, address) DO UPDATE SET last_at = excluded.last_at
                WHERE key_address.last_at < excluded.last_at
                """,
                project,
                id,
                address,
                at
            );
        foreach (var (project, id) in used.Select(u => (u.Project, u.Id)).Distinct().Order())
            await tx.ExecuteAsync(
                """
                DELETE FROM key_address WHERE project = $1 AND key = $2 AND address NOT IN (
                  SELECT address FROM key_address
                  WHERE project = $1 AND key = $2
                  ORDER BY last_at DESC, address LIMIT $3)
                """,
                project,
                id,
                MaxAddresses
            );
        return used.Length;
    }

    /// <summary>Returns the addresses of a key's uses, the last first.</summary>
    public ValueTask<List<(string Address, long FirstAt, long LastAt)>> AddressesAsync(string project, string id) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT address, first_at, last_at
                FROM key_address
                WHERE project = $1 AND key = $2
                ORDER BY last_at DESC, address LIMIT $3
                """,
                r => (r.GetString(0), r.GetInt64(1), r.GetInt64(2)),
                project,
                id,
                MaxAddresses
            )
        );

    /// <summary>
    /// Kept until the tokens that it ends would have expired. A later rule for the same subject extends the earlier
    /// one.
    /// </summary>
    public static async ValueTask RevokeTokensAsync(Tx tx, RevocationRow rule)
    {
        var version = await NextVersionAsync(tx);
        await tx.ExecuteAsync(
            """
            INSERT INTO revocation (project, kind, value, issued_before, until, changed) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (project, kind, value) DO UPDATE SET changed = excluded.changed,
              until = CASE WHEN revocation.until > excluded.until THEN revocation.until ELSE excluded.until END,
              issued_before = CASE
              WHEN revocation.issued_before > excluded.issued_before THEN revocation.issued_before ELSE
              excluded.issued_before END
            """,
            rule.Project,
            rule.Kind,
            rule.Value,
            rule.IssuedBefore,
            rule.Until,
            version
        );
    }

    /// <summary>Returns true only for the first use, on any node.</summary>
    public Task<bool> UseOnceAsync(string project, string digest, long until) =>
        database.WriteAsync(async tx =>
            await tx.ExecuteAsync(
                """
                INSERT INTO used_token (project, digest, until)
                VALUES ($1, $2, $3)
                ON CONFLICT (project, digest) DO NOTHING
                """,
                project,
                digest,
                until
            ) == 1
        );
}
