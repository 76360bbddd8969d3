using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// The sessions of the console: their rows, and those in use in memory. A session is 32 random bytes in a cookie; the
/// database stores their digest. An end made here is visible before it is answered, one made on another node within a
/// second (<see cref="AccessWatch"/>).
/// </summary>
internal sealed class ConsoleSessions(Database database, KeyRing keys, PosternOptions options)
{
    public const string Cookie = "postern_console";

    /// <summary>The most sessions of one credential. One more ends the oldest.</summary>
    public const int MaxPerCredential = 20;
    public const int MaxBrowser = 200;
    private const long Minute = 60_000_000;
    private readonly CacheFill _fill = new();
    private readonly ConcurrentDictionary<string, ConsoleSessionEntry> _known = new(StringComparer.Ordinal);

    private long Idle => options.Console.IdleMinutes * Minute;

    /// <summary>Returns the live session of a cookie, or null. Records its last use.</summary>
    public async ValueTask<ConsoleSessionEntry?> FindAsync(string cookie, long now)
    {
        if (cookie.Length != 43 || !Base64Url.IsValid(cookie))
            return null;
        var digest = DigestOf(cookie);
        var name = Convert.ToHexString(digest);
        if (!_known.TryGetValue(name, out var entry) || entry.WhyEnded(now) == StreamEnd.Expired)
            // Another node may have seen it later.
            entry = await _fill.FillAsync(
                () => database.ReadAsync(tx => FindAsync(tx, digest)),
                row => row is null ? null : Keep(name, row)
            );
        if (entry is null || entry.WhyEnded(now) is not null)
            return null;
        if (now - entry.SeenAt >= Minute)
        {
            entry.Seen(now);
            await database.WriteAsync(tx =>
                tx.ExecuteAsync(
                    "UPDATE console_session SET seen_at = $3 WHERE project = $1 AND id = $2 AND seen_at < $3",
                    entry.Row.Project,
                    entry.Row.Id,
                    now
                )
            );
        }
        return entry;
    }

    /// <summary>Returns the grant of the key behind a session, or null when there is no such key.</summary>
    public async ValueTask<KeyGrant?> GrantOfAsync(ConsoleSession session) =>
        await keys.FindAsync(session.Project, session.Credential) is { } key && session.Secret is { } secret
            ? new KeyGrant(key, secret)
            : null;

    /// <summary>Opens a session. When the credential has too many, its oldest ends.</summary>
    /// <returns>What the cookie holds.</returns>
    public Task<string> BeginAsync(ConsolePerson person, string address, string browser)
    {
        var (project, credential) = (person.Project, person.Credential);
        var cookie = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        return database.WriteAsync(async tx =>
        {
            var version = await KeyStore.NextVersionAsync(tx);
            await tx.ExecuteAsync(
                """
                UPDATE console_session SET ended_at = $3, ended_reason = 'too_many', changed = $5
                WHERE project = $1 AND credential = $2 AND ended_at IS NULL AND id NOT IN (
                  SELECT id FROM console_session
                  WHERE project = $1 AND credential = $2 AND ended_at IS NULL AND until > $3
                  ORDER BY created_at DESC, id DESC LIMIT $4)
                """,
                project,
                credential,
                tx.Now,
                MaxPerCredential - 1L,
                version
            );
            await tx.ExecuteAsync(
                """
                INSERT INTO console_session (project, id, digest, credential, secret, address, browser, created_at,
                  seen_at, until, changed, roles)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11)
                """,
                project,
                Id.New(ConsoleSession.Prefix, tx.Now),
                DigestOf(cookie),
                credential,
                person.Secret,
                address,
                Wire.Cut(browser, MaxBrowser),
                tx.Now,
                tx.Now + (options.Console.MaxHours * 60 * Minute),
                version,
                person.Roles is null ? null : string.Join('\n', person.Roles)
            );
            return cookie;
        });
    }

    /// <summary>
    /// Ends a session; on this node before the call returns. Returns false when there is none or it had ended.
    /// </summary>
    public async Task<bool> EndAsync(string project, string id, string reason)
    {
        var ended = await database.WriteAsync(async tx =>
        {
            var version = await KeyStore.NextVersionAsync(tx);
            return await tx.ExecuteAsync(
                    """
                    UPDATE console_session SET ended_at = $3, ended_reason = $4, changed = $5
                    WHERE project = $1 AND id = $2 AND ended_at IS NULL
                    """,
                    project,
                    id,
                    tx.Now,
                    reason,
                    version
                ) == 1;
        });
        foreach (var entry in _known.Values.Where(e => e.Row.Project == project && e.Row.Id == id))
            entry.Update(entry.Row with { EndedAt = database.Now, EndedReason = reason });
        return ended;
    }

    /// <summary>Ends the sessions of a key that is revoked.</summary>
    public static async ValueTask EndOfKeyAsync(Tx tx, string project, string key) =>
        await tx.ExecuteAsync(
            """
            UPDATE console_session SET ended_at = $3, ended_reason = 'key_revoked', changed = $4
            WHERE project = $1 AND credential = $2 AND ended_at IS NULL
            """,
            project,
            key,
            tx.Now,
            await KeyStore.NextVersionAsync(tx)
        );

    /// <summary>Returns whether there is a session of the project, including recently ended ones.</summary>
    public async ValueTask<bool> HasAsync(string project, string id) =>
        await database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT 1 FROM console_session WHERE project = $1 AND id = $2",
                r => r.GetInt64(0),
                project,
                id
            )
        ) == 1;

    /// <summary>Returns the sessions of a credential, newest first, including recently ended ones.</summary>
    public ValueTask<List<ConsoleSession>> OfCredentialAsync(string project, string credential, int most) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                $"""
                SELECT {Row<ConsoleSession>.Columns} FROM console_session WHERE project = $1 AND credential = $2
                ORDER BY created_at DESC, id DESC LIMIT $3
                """,
                Row<ConsoleSession>.Read,
                project,
                credential,
                (long)most
            )
        );

    /// <summary>Returns the live sessions, newest first, at most 1,000.</summary>
    /// <param name="credential">Of this credential alone; null: of all.</param>
    public ValueTask<List<ConsoleSession>> ListAsync(string project, string? credential) =>
        database.ReadAsync(tx =>
        {
            var query = new ListQuery(tx, "project = $1 AND ended_at IS NULL", project)
                .And("until > {0}", tx.Now)
                .And("seen_at > {0}", tx.Now - Idle)
                .And("credential = {0}", credential);
            return tx.ListAsync(
                $"""
                SELECT {Row<ConsoleSession>.Columns} FROM console_session WHERE {query.Where}
                ORDER BY id DESC LIMIT 1000
                """,
                Row<ConsoleSession>.Read,
                query.Args
            );
        });

    /// <summary>Applies the ends on any node after a version of access.</summary>
    public async Task RefreshAsync(long version)
    {
        _fill.Changed();
        if (_known.IsEmpty)
            return;
        var pages = AccessPages.ReadAsync(
            version,
            from =>
                database.ReadAsync(tx =>
                    tx.ListAsync(
                        $"""
                        SELECT {Row<ConsoleSession>.Columns}, digest, changed FROM console_session
                        WHERE changed > $1 AND ended_at IS NOT NULL ORDER BY changed LIMIT {AccessPages.Size}
                        """,
                        r =>
                            (
                                Row: Row<ConsoleSession>.Read(r),
                                Digest: r.Bytes(Row<ConsoleSession>.Count),
                                Changed: r.GetInt64(Row<ConsoleSession>.Count + 1)
                            ),
                        from
                    )
                ),
            row => row.Changed
        );
        await foreach (var page in pages)
        foreach (var (row, digest, _) in page)
            if (_known.TryGetValue(Convert.ToHexString(digest), out var entry))
                entry.Update(row);
    }

    /// <summary>Forgets ended sessions.</summary>
    public void Forget(long now)
    {
        foreach (var (name, entry) in _known)
            if (entry.WhyEnded(now) is not null)
                _known.TryRemove(name, out _);
    }

    /// <summary>Makes a link that opens one session with a key, within a limited time.</summary>
    /// <returns>What stands after <c>#</c>.</returns>
    public Task<string> LinkAsync(string project, string key, TimeSpan time)
    {
        var once = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        return database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync(
                "INSERT INTO console_link (project, digest, credential, until) VALUES ($1, $2, $3, $4)",
                project,
                DigestOf(once),
                key,
                tx.Now + Wire.Microseconds(time)
            );
            return once;
        });
    }

    /// <summary>Uses up a link. Returns null when it opens nothing: unknown, used or too late.</summary>
    public Task<(string Project, string Key)?> UseLinkAsync(string once) =>
        database.WriteAsync(async tx =>
            once.Length != 43
                ? null
                : await tx.FirstAsync<(string, string)?>(
                    "DELETE FROM console_link WHERE digest = $1 AND until > $2 RETURNING project, credential",
                    r => (r.GetString(0), r.GetString(1)),
                    DigestOf(once),
                    tx.Now
                )
        );

    private ConsoleSessionEntry Keep(string name, ConsoleSession row)
    {
        var entry = _known.GetOrAdd(
            name,
            static (_, state) => new ConsoleSessionEntry(state.row, state.Idle),
            (row, Idle)
        );
        entry.Update(row);
        return entry;
    }

    private static ValueTask<ConsoleSession?> FindAsync(Tx tx, byte[] digest) =>
        tx.FirstAsync(
            $"SELECT {Row<ConsoleSession>.Columns} FROM console_session WHERE digest = $1",
            Row<ConsoleSession>.Read,
            digest
        );

    private static byte[] DigestOf(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}
