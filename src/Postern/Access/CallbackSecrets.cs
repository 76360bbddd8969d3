using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// The secrets of callbacks. A project's callback secret is stored as a digest under the master key: the database alone
/// does not show it and does not help to guess it. A presented secret is found by its digest. It is also stored sealed,
/// because messages are signed with it. The secrets from which callback tokens are made are sealed; a retired one
/// verifies its tokens as long as a run of its time lives. All are in memory, kept equal to the database by
/// <see cref="AccessWatch"/>, so a wrong credential causes no read from the store.
/// </summary>
internal sealed class CallbackSecrets(
    Database database,
    KnownProjects projects,
    MasterKey master,
    NoLiveRunSince noLiveRun
)
{
    private readonly CacheFill _fill = new();
    public const int MaxLive = 2;
    public const int MinLength = 24;
    public const int MaxLength = 256;

    /// <summary>Hex digits of a token.</summary>
    private const int TokenLength = 64;
    private const int MaxProjectsKept = 10_000;
    private readonly ConcurrentDictionary<
        string,
        (string Project, byte[] Digest, CallbackSecretAuthority Authority)
    > _live = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<
        string,
        ConcurrentDictionary<string, (string Secret, CallbackSecretAuthority Authority)>
    > _signers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte[][]> _tokenSecrets = new(StringComparer.Ordinal);

    /// <summary>Applies the changes after a version of access.</summary>
    public async ValueTask RefreshAsync(long version)
    {
        var pages = AccessPages.ReadAsync(
            version,
            from =>
                database.ReadAsync(tx =>
                    tx.ListAsync(
                        $"""
                        SELECT project, id, digest, revoked_at, changed, sealed
                        FROM callback_secret
                        WHERE changed > $1
                        ORDER BY changed LIMIT {AccessPages.Size}
                        """,
                        r =>
                            (
                                Project: r.GetString(0),
                                Id: r.GetString(1),
                                Digest: r.Bytes(2),
                                Revoked: !r.IsDBNull(3),
                                Changed: r.GetInt64(4),
                                Sealed: r.BytesOrNull(5)
                            ),
                        from
                    )
                ),
            row => row.Changed
        );
        await foreach (var page in pages)
        foreach (var (project, id, digest, revoked, _, secret) in page)
            TakeSigner(project, id, secret, Take(project, id, digest, revoked));
        _fill.Changed();
        _tokenSecrets.Clear();
    }

    private CallbackSecretAuthority? Take(string project, string id, byte[] digest, bool revoked)
    {
        var name = Convert.ToHexString(digest);
        if (!revoked)
            return (_live[name] = (project, digest, new CallbackSecretAuthority(id))).Authority;
        if (_live.TryGetValue(name, out var there) && there.Authority.Actor == id)
        {
            _live.TryRemove(name, out _);
            there.Authority.Revoke();
        }
        return null;
    }

    /// <summary>
    /// Returns a secret as the key of signatures. A secret that an older version stored only as a digest cannot sign.
    /// </summary>
    private void TakeSigner(string project, string id, byte[]? text, CallbackSecretAuthority? authority)
    {
        if (text is not null && authority is not null)
            _signers.GetOrAdd(project, _ => new(StringComparer.Ordinal))[id] = (
                master.Unprotect(text, SecretPurpose(project, id)),
                authority
            );
        else if (_signers.TryGetValue(project, out var signers))
            signers.TryRemove(id, out _);
    }

    /// <summary>The live secrets of a project by which its orchestrators may sign.</summary>
    public IEnumerable<(string Secret, Authority Authority)> SignersOf(string project) =>
        _signers.TryGetValue(project, out var signers)
            ? signers.Values.Select(s => (s.Secret, (Authority)s.Authority))
            : [];

    /// <summary>Returns the owner of a secret, or null.</summary>
    public ProjectCaller? Verify(string presented)
    {
        if (presented.Length is < MinLength or > MaxLength)
            return null;
        var digest = master.DigestOf(presented, "callback secret");
        return
            _live.TryGetValue(Convert.ToHexString(digest), out var found)
            && CryptographicOperations.FixedTimeEquals(found.Digest, digest)
            ? new ProjectCaller(found.Project, found.Authority, database)
            : null;
    }

    /// <summary>A stand-in for a missing secret, which nobody has.</summary>
    public static string NewText() => "pst_cbs_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    public ValueTask<List<CallbackSecretRow>> ListAsync(string project) =>
        database.ReadAsync(tx => ListAsync(tx, project));

    /// <summary>
    /// Creates a secret. Returns its id; null when the project has two already, or when the text is in use, which
    /// <c>Taken</c> says.
    /// </summary>
    public Task<(string? Id, bool Taken)> CreateAsync(string project, string secret, ProjectCaller by) =>
        database.WriteAsync<(string?, bool)>(async tx =>
        {
            // The lock of the project's row prevents that two requests make two secrets where one is allowed.
            await ProjectQuota.LockAsync(tx, project);
            await KeyStore.BeginChangeAsync(tx, by, master);
            var createdBy = by.Authority.LoggedActor;
            if ((await ListAsync(tx, project)).Count >= MaxLive)
                return (null, false);
            var id = Id.New("cbs", database.Now);
            var digest = master.DigestOf(secret, "callback secret");
            if (
                await tx.FirstAsync(
                    "SELECT 1 FROM callback_secret WHERE digest = $1 AND revoked_at IS NULL",
                    r => r.GetInt64(0),
                    digest
                ) == 1
            )
                return (null, true);
            await tx.ExecuteAsync(
                """
                INSERT INTO callback_secret (project, id, digest, created_by, created_at, changed, sealed)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                """,
                project,
                id,
                digest,
                createdBy,
                tx.Now,
                await KeyStore.NextVersionAsync(tx),
                master.Protect(secret, SecretPurpose(project, id))
            );
            Audit.Write(tx, new AuditRow(project, "callback_secret.created", Actor: createdBy, Reason: id));
            return (id, false);
        });

    public Task<bool> RevokeAsync(string project, string id, ProjectCaller by) =>
        database.WriteAsync(async tx =>
        {
            await KeyStore.BeginChangeAsync(tx, by, master);
            var actor = by.Authority.LoggedActor;
            if (
                await tx.ExecuteAsync(
                    """
                    UPDATE callback_secret
                    SET revoked_at = $3, changed = $4, sealed = NULL
                    WHERE project = $1 AND id = $2 AND revoked_at IS NULL
                    """,
                    project,
                    id,
                    tx.Now,
                    await KeyStore.NextVersionAsync(tx)
                ) != 1
            )
                return false;
            Audit.Write(tx, new AuditRow(project, "callback_secret.revoked", Actor: actor, Reason: id));
            return true;
        });

    /// <summary>
    /// A callback token: lower-case hex HMAC-SHA256 of <c>callback:v1:{scope}:</c> and each part as
    /// <c>{length}:{part}</c>, its length in UTF-16 units, so that no two lists of parts make one text.
    /// </summary>
    public static string Token(ReadOnlySpan<byte> secret, string scope, params ReadOnlySpan<string> parts)
    {
        var text = new StringBuilder("callback:v1:").Append(scope).Append(':');
        foreach (var part in parts)
            text.Append(part.Length).Append(':').Append(part);
        return Convert.ToHexStringLower(HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes(text.ToString())));
    }

    /// <summary>The token for the status route of one attempt of a run.</summary>
    public async ValueTask<string> TokenForRunAsync(string project, string run, long attempt) =>
        Token(
            (await TokenSecretsAsync(project))[0],
            RunScope,
            project,
            run,
            attempt.ToString(System.Globalization.CultureInfo.InvariantCulture)
        );

    /// <summary>A token of a scope, made with the present secret.</summary>
    public async ValueTask<string> TokenForAsync(string project, string scope, params string[] parts) =>
        Token((await TokenSecretsAsync(project))[0], scope, parts);

    /// <summary>Returns whether a presented token is that of an attempt of a run, under any live secret.</summary>
    public async ValueTask<bool> IsRunTokenAsync(string presented, string project, string run, long attempt) =>
        IsOneOf(presented, await RunTokensAsync(project, run, attempt));

    /// <summary>The tokens of an attempt of a run, under each live secret.</summary>
    public ValueTask<IReadOnlyList<string>> RunTokensAsync(string project, string run, long attempt) =>
        TokensAsync(
            project,
            RunScope,
            project,
            run,
            attempt.ToString(System.Globalization.CultureInfo.InvariantCulture)
        );

    /// <summary>The tokens of a scope and its parts, under each live secret.</summary>
    public async ValueTask<IReadOnlyList<string>> TokensAsync(string project, string scope, params string[] parts) =>
        [.. (await TokenSecretsAsync(project)).Select(secret => Token(secret, scope, parts))];

    /// <summary>
    /// Returns whether a presented token is one of these. All are compared, so that the time reveals nothing.
    /// </summary>
    public static bool IsOneOf(string presented, IReadOnlyList<string> tokens)
    {
        if (presented.Length != TokenLength || !presented.All(c => c is (>= '0' and <= '9') or (>= 'a' and <= 'f')))
            return false;
        var given = Encoding.ASCII.GetBytes(presented);
        var found = false;
        foreach (var token in tokens)
            found |= CryptographicOperations.FixedTimeEquals(given, Encoding.ASCII.GetBytes(token));
        return found;
    }

    /// <summary>
    /// Makes a new secret for later tokens. Retired secrets are removed when no run of their time lives.
    /// </summary>
    public Task<long> RotateTokenSecretAsync(string project, ProjectCaller by) =>
        database.WriteAsync(async tx =>
        {
            await ProjectQuota.LockAsync(tx, project);
            await KeyStore.BeginChangeAsync(tx, by, master);
            var actor = by.Authority.LoggedActor;
            await tx.ExecuteAsync(
                $"""
                DELETE FROM callback_token_secret WHERE project = $1 AND retired_at IS NOT NULL
                  AND {noLiveRun("$1", "callback_token_secret.retired_at")}
                """,
                project
            );
            var number =
                1
                + await tx.FirstAsync(
                    "SELECT COALESCE(MAX(number), 0) FROM callback_token_secret WHERE project = $1",
                    r => r.GetInt64(0),
                    project
                );
            await tx.ExecuteAsync(
                "UPDATE callback_token_secret SET retired_at = $2 WHERE project = $1 AND retired_at IS NULL",
                project,
                tx.Now
            );
            await InsertTokenSecretAsync(tx, project, number, await KeyStore.NextVersionAsync(tx));
            Audit.Write(tx, new AuditRow(project, "callback_token_secret.rotated", Actor: actor));
            return number;
        });

    private const string RunScope = "run-status-callback";

    /// <summary>
    /// Returns the secrets of a project, the present one first. The first call for a project makes one.
    /// </summary>
    private async ValueTask<byte[][]> TokenSecretsAsync(string project)
    {
        if (_tokenSecrets.TryGetValue(project, out var kept))
            return kept;
        // There is no such project. An unknown secret is used, so that no token verifies and nothing is read or
        // written.
        if (!projects.Has(project))
            return [RandomNumberGenerator.GetBytes(32)];
        return await _fill.FillAsync(
            () => ReadOrMakeTokenSecretsAsync(project),
            secrets =>
            {
                if (_tokenSecrets.Count >= MaxProjectsKept)
                    _tokenSecrets.Clear();
                return _tokenSecrets[project] = secrets;
            }
        );
    }

    private async ValueTask<byte[][]> ReadOrMakeTokenSecretsAsync(string project)
    {
        var secrets = await database.ReadAsync(tx => ReadTokenSecretsAsync(tx, project));
        if (secrets.Length > 0)
            return secrets;
        return await database.WriteAsync(async tx =>
        {
            await InsertTokenSecretAsync(tx, project, 1, 0);
            return await ReadTokenSecretsAsync(tx, project);
        });
    }

    private async ValueTask<byte[][]> ReadTokenSecretsAsync(Tx tx, string project) =>
        [
            .. (
                await tx.ListAsync(
                    """
                    SELECT number, sealed
                    FROM callback_token_secret
                    WHERE project = $1
                    ORDER BY number DESC LIMIT 100
                    """,
                    r => (r.GetInt64(0), r.Bytes(1)),
                    project
                )
            ).Select(s => Encoding.UTF8.GetBytes(master.Unprotect(s.Item2, SealPurpose(project, s.Item1)))),
        ];

    private ValueTask<int> InsertTokenSecretAsync(Tx tx, string project, long number, long version) =>
        tx.ExecuteAsync(
            """
            INSERT INTO callback_token_secret (project, number, sealed, created_at, changed)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (project, number) DO NOTHING
            """,
            project,
            number,
            master.Protect(Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)), SealPurpose(project, number)),
            tx.Now,
            version
        );

    private static ValueTask<List<CallbackSecretRow>> ListAsync(Tx tx, string project) =>
        tx.ListAsync(
            """
            SELECT id, created_by, created_at
            FROM callback_secret
            WHERE project = $1 AND revoked_at IS NULL
            ORDER BY created_at LIMIT 10
            """,
            r => new CallbackSecretRow(r.GetString(0), r.GetString(1), r.GetInt64(2)),
            project
        );

    private static string SecretPurpose(string project, string id) => $"callback-secret:{project}:{id}";

    private static string SealPurpose(string project, long number) => $"callback-token:{project}:{number}";
}
