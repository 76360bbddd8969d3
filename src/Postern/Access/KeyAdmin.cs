using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// Changes keys. Each change is one transaction with its audit row. When the call returns, the change is in effect in
/// this process; on every other node within a second. Routes and the command line use it.
/// </summary>
internal sealed class KeyAdmin(
    Database database,
    KeyStore store,
    MasterKey master,
    AccessWatch watch,
    PosternOptions options
)
{
    public long Now => database.Now;

    /// <summary>Makes a key. Only this answer contains its text.</summary>
    /// <param name="by">The caller that makes it; null for the command line.</param>
    public async Task<Checked<MadeKey>> CreateAsync(
        string project,
        string name,
        string kind,
        IReadOnlyList<string> scopes,
        long? expiresAt,
        string createdBy,
        ProjectCaller? by = null
    )
    {
        var key = ApiKey.Generate(kind, Id.New("key", database.Now));
        var (salt, digest) = KeyDigest.Of(key.Text);
        var row = new KeyRow
        {
            Project = project,
            Id = key.Id,
            Kind = kind,
            Name = name,
            Scopes = scopes,
            Salt = salt,
            Digest = digest,
            CreatedBy = createdBy,
            CreatedAt = database.Now,
            ExpiresAt = expiresAt,
            Changed = 0,
        };
        Refusal? full = null;
        await ChangeAsync(
            "key.created",
            project,
            key.Id,
            createdBy,
            by,
            async tx =>
            {
                // The command line has no limit here, because it is how an administrator gets in again.
                full = by is null
                    ? null
                    : await ProjectQuota.WhyNotOneMoreAsync(
                        tx,
                        project,
                        "api_key WHERE project = $1 AND revoked_at IS NULL",
                        "Keys",
                        options.Quotas.Keys
                    );
                if (full is not null)
                    return false;
                await KeyStore.InsertAsync(tx, row);
                return true;
            }
        );
        return full is null ? new MadeKey(row, key) : full;
    }

    /// <summary>Gives a key a new secret; the old one is valid for the overlap. The id stays.</summary>
    public async Task<KeyOutcome> RotateAsync(KeyRow row, TimeSpan overlap, string actor, ProjectCaller? by = null)
    {
        var key = ApiKey.Generate(row.Kind, row.Id);
        var (salt, digest) = KeyDigest.Of(key.Text);
        var sealedKey = row.Sealed is null ? null : master.Protect(key.Text, KeyStore.SealPurpose(row.Project, row.Id));
        var until = database.Now + (long)overlap.TotalMicroseconds;
        var refused = await ChangeAsync(
            "key.rotated",
            row,
            actor,
            by,
            Minting.RefuseRotation,
            tx => KeyStore.RotateAsync(tx, row.Project, row.Id, salt, digest, sealedKey, until)
        );
        return refused ?? new KeyOutcome.Rotated(key, until);
    }

    /// <summary>
    /// Changes the given members of a key, in one transaction. Members that another change has set stay.
    /// </summary>
    public async Task<KeyOutcome> UpdateAsync(KeyRow row, KeyChange change, string actor, ProjectCaller? by = null) =>
        await ChangeAsync(
            "key.updated",
            row,
            actor,
            by,
            (caller, now) => Minting.RefuseChange(caller, now, change),
            tx => KeyStore.UpdateAsync(tx, row.Project, row.Id, change)
        ) ?? (await store.FindAsync(row.Id) is { } changed ? new KeyOutcome.Updated(changed) : new KeyOutcome.Gone());

    /// <summary>Ends a key, with every token that was minted with it.</summary>
    public Task<bool> RevokeAsync(KeyRow row, string actor, ProjectCaller? by = null) =>
        ChangeAsync(
            "key.revoked",
            row.Project,
            row.Id,
            actor,
            by,
            async tx =>
            {
                if (!await KeyStore.RevokeAsync(tx, row.Project, row.Id))
                    return false;
                await ConsoleSessions.EndOfKeyAsync(tx, row.Project, row.Id);
                await KeyStore.RevokeTokensAsync(
                    tx,
                    new RevocationRow(
                        row.Project,
                        "jti",
                        row.Id,
                        null,
                        tx.Now + (long)Tokens.MaxLife.TotalMicroseconds + Tokens.ClockSkew,
                        0
                    )
                );
                return true;
            }
        );

    /// <summary>Ends tokens before they expire.</summary>
    public Task RevokeTokensAsync(IReadOnlyList<RevocationRow> rules, string actor, ProjectCaller? by = null) =>
        ChangeAsync(
            "token.revoked",
            rules[0].Project,
            rules[0].Kind,
            actor,
            by,
            async tx =>
            {
                foreach (var rule in rules)
                    await KeyStore.RevokeTokensAsync(tx, rule);
                return true;
            }
        );

    /// <summary>Records that a token was minted: for whom, with which rights, until when.</summary>
    public Task MintedAsync(string project, IReadOnlyList<string> scopes, long expiresAt, ProjectCaller? by) =>
        database.WriteAsync(async tx =>
        {
            by?.EnsureStillAllowed();
            var what = string.Join(' ', scopes);
            Audit.Write(
                tx,
                new AuditRow(
                    project,
                    "token.minted",
                    by?.Authority.Credential,
                    by?.Authority.LoggedActor ?? "command line",
                    Reason: Wire.Cut(what, 500) + " until " + Wire.Iso(expiresAt)
                )
            );
            return true;
        });

    /// <summary>
    /// Makes a change that depends on the key's present state. The row is checked again inside the transaction, because
    /// the one that was read before may have changed.
    /// </summary>
    /// <returns>Null when it is done.</returns>
    private async Task<KeyOutcome?> ChangeAsync(
        string action,
        KeyRow row,
        string actor,
        ProjectCaller? by,
        Func<ProjectCaller, KeyRow, Refusal?> refuse,
        Func<Tx, ValueTask<bool>> change
    )
    {
        KeyOutcome? outcome = null;
        var done = await ChangeAsync(
            action,
            row.Project,
            row.Id,
            actor,
            by,
            async tx =>
            {
                outcome =
                    await KeyStore.FindAsync(tx, row.Id) is not { RevokedAt: null } now ? new KeyOutcome.Gone()
                    : by is not null && refuse(by, now) is { } why ? new KeyOutcome.Refused(why)
                    : null;
                return outcome is null && await change(tx);
            }
        );
        return done ? null : outcome ?? new KeyOutcome.Gone();
    }

    private async Task<bool> ChangeAsync(
        string action,
        string project,
        string subject,
        string actor,
        ProjectCaller? by,
        Func<Tx, ValueTask<bool>> change
    )
    {
        var done = await database.WriteAsync(async tx =>
        {
            await KeyStore.BeginChangeAsync(tx, by, master);
            if (!await change(tx))
                return false;
            Audit.Write(tx, new AuditRow(project, action, by?.Authority.Credential, Actor: actor, Reason: subject));
            return true;
        });
        await watch.RefreshAsync();
        return done;
    }
}
