using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// Changes to keys. Each is one transaction with its audit row; it has taken effect in this process when the call returns, and on
/// every other node within a second. Routes and command line come through here.
/// </summary>
internal sealed class KeyAdmin(Database database, KeyStore store, MasterKey master, AccessWatch watch, TimeProvider clock)
{
    public static readonly TimeSpan StandardOverlap = TimeSpan.FromHours(24);

    public long Now => database.Now;

    /// <summary>A new key; its text is in the answer this once.</summary>
    public async Task<(KeyRow Row, KeyText Key)> CreateAsync(string project, string name, string kind, IReadOnlyList<string> scopes, long? expiresAt, string createdBy)
    {
        var key = KeyText.Generate(kind, Id.New("key", clock));
        var (salt, digest) = KeyDigest.Of(key.Text);
        var row = new KeyRow(project, key.Id, kind, name, scopes, salt, digest, null, null, null, null, null, createdBy, database.Now, expiresAt, null, null, 0);
        await ChangeAsync("key.created", project, key.Id, createdBy, async tx =>
        {
            await KeyStore.InsertAsync(tx, row);
            return true;
        });
        return (row, key);
    }

    /// <summary>The new key and until when the old one is valid, or null when the key is gone. The id stays.</summary>
    public async Task<(KeyText Key, long PreviousUntil)?> RotateAsync(KeyRow row, TimeSpan overlap, string actor)
    {
        var key = KeyText.Generate(row.Kind, row.Id);
        var (salt, digest) = KeyDigest.Of(key.Text);
        var sealedKey = row.Sealed is null ? null : master.Seal(key.Text, KeyStore.SealOwner(row.Project, row.Id));
        var until = database.Now + (long)overlap.TotalMicroseconds;
        var done = await ChangeAsync("key.rotated", row.Project, row.Id, actor, tx => KeyStore.RotateAsync(tx, row.Project, row.Id, salt, digest, sealedKey, until));
        return done ? (key, until) : null;
    }

    public async Task<KeyRow?> UpdateAsync(KeyRow row, string name, IReadOnlyList<string> scopes, long? expiresAt, string actor)
    {
        var done = await ChangeAsync("key.updated", row.Project, row.Id, actor, tx => KeyStore.UpdateAsync(tx, row.Project, row.Id, name, scopes, expiresAt));
        return done ? await store.FindAsync(row.Id) : null;
    }

    /// <summary>Ends a key, and with it every token that was minted with it.</summary>
    public Task<bool> RevokeAsync(KeyRow row, string actor) =>
        ChangeAsync("key.revoked", row.Project, row.Id, actor, async tx =>
        {
            if (!await KeyStore.RevokeAsync(tx, row.Project, row.Id)) return false;
            await KeyStore.RevokeTokensAsync(tx, new RevocationRow(row.Project, "jti", row.Id, null, tx.Now + (long)Tokens.MaxLife.TotalMicroseconds + Tokens.ClockSkew, 0));
            return true;
        });

    /// <summary>Ends tokens before their time.</summary>
    public Task RevokeTokensAsync(RevocationRow rule, string actor) =>
        ChangeAsync("token.revoked", rule.Project, rule.Kind, actor, async tx =>
        {
            await KeyStore.RevokeTokensAsync(tx, rule);
            return true;
        });

    private async Task<bool> ChangeAsync(string action, string project, string subject, string actor, Func<Tx, ValueTask<bool>> change)
    {
        var done = await database.WriteAsync(async tx =>
        {
            if (!await change(tx)) return false;
            await Audit.WriteAsync(tx, new AuditRow(project, action, Actor: actor, Reason: subject), clock);
            return true;
        });
        await watch.RefreshAsync();
        return done;
    }
}
