using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// The keys that have been seen, in memory. An entry lives on when its row changes: whoever holds it (a stream, a token signed
/// by it) sees a revocation or narrowed scopes in O(1). It is refreshed by <see cref="AccessWatch"/> on every change, here before the
/// answer to the call that changed it, elsewhere within a second; nothing is left to expire.
/// </summary>
internal sealed class KeyRing(KeyStore store, KnownProjects projects, MasterKey master)
{
    private readonly CacheFill _fill = new();
    private readonly ConcurrentDictionary<string, KeyEntry> _byId = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, KeyEntry> _roots = new(StringComparer.Ordinal);

    /// <summary>What a presented key opens, or null: uniform, whether the id exists or not, in the answer and in the time it takes.</summary>
    public async ValueTask<KeyGrant?> VerifyAsync(string presented, long now)
    {
        if (KeyText.TryParse(presented) is not { } key) return null;
        if (_byId.TryGetValue(key.Id, out var entry) && entry.Matches(key.Text, now) is { } grant) return grant;
        // A refusal always costs one look into the store: of an id that is known, too.
        return (await FindAsync(key.Id))?.Matches(key.Text, now);
    }

    /// <summary>The key of an id in a project, alive; null when there is none.</summary>
    public async ValueTask<KeyEntry?> FindAsync(string project, string id)
    {
        if (!_byId.TryGetValue(id, out var entry)) entry = await FindAsync(id);
        return entry?.Row.Project == project ? entry : null;
    }

    private ValueTask<KeyEntry?> FindAsync(string id) => _fill.FillAsync(() => store.FindAsync(id), row => row is null ? null : Keep(row));

    /// <summary>The root key of a project, which its tokens are signed with; null when there is no such project.</summary>
    public async ValueTask<KeyEntry?> RootAsync(string project)
    {
        if (_roots.TryGetValue(project, out var entry)) return entry;
        if (!projects.Has(project)) return null;
        return await _fill.FillAsync(() => store.FindRootAsync(project), row => row is null ? null : Keep(row));
    }

    public void Refresh(IEnumerable<KeyRow> changed)
    {
        _fill.Changed();
        foreach (var row in changed)
        {
            if (row.Kind == "root") projects.Add(row.Project);
            if (_byId.TryGetValue(row.Id, out var entry)) entry.Update(row);
        }
    }

    /// <summary>Entries used since the last call, for the lazily written time of last use.</summary>
    public List<(string Project, string Id, long At)> TakeUsed()
    {
        var used = new List<(string, string, long)>();
        foreach (var entry in _byId.Values) if (entry.TakeUsed() is { } at) used.Add((entry.Row.Project, entry.Row.Id, at));
        return used;
    }

    private KeyEntry Keep(KeyRow row)
    {
        var entry = _byId.GetOrAdd(row.Id, static (_, state) => new KeyEntry(state.row, state.master), (row, master));
        entry.Update(row);
        if (row.Kind == "root") _roots[row.Project] = entry;
        return entry;
    }
}

/// <summary>One key, alive in memory: what is behind every request and stream that came in with it, and every token that it minted.</summary>
internal sealed class KeyEntry
{
    private const long Minute = 60_000_000;
    private readonly MasterKey _master;
    private volatile State _state;
    private long _usedAt;

    public KeyEntry(KeyRow row, MasterKey master)
    {
        _master = master;
        _state = new State(row);
    }

    public KeyRow Row => _state.Row;

    public bool IsRoot => Row.Kind == "root";

    public ScopeSet Scopes => _state.Scopes;

    public string? WhyEnded(long now)
    {
        var row = Row;
        if (row.RevokedAt is not null) return StreamEnd.Revoked;
        return row.ExpiresAt <= now ? StreamEnd.Expired : null;
    }

    /// <summary>The right of whoever presents this text, or null when it is not the key's, or the key has ended.</summary>
    public KeyGrant? Matches(string key, long now)
    {
        var row = Row;
        var secret = KeyDigest.Matches(key, row.Salt, row.Digest) ? row.Digest : null;
        if (secret is null && row.PreviousUntil > now && KeyDigest.Matches(key, row.PreviousSalt!, row.PreviousDigest!)) secret = row.PreviousDigest;
        if (secret is null || WhyEnded(now) is not null) return null;
        _usedAt = now - (now % Minute);
        return new KeyGrant(this, secret);
    }

    public void Update(KeyRow row)
    {
        if (row.Changed >= Row.Changed) _state = new State(row);
    }

    public long? TakeUsed()
    {
        var used = Interlocked.Exchange(ref _usedAt, 0);
        return used > (Row.LastUsedAt ?? 0) ? used : null;
    }

    /// <summary>What the server signs with: the key as it is now.</summary>
    public SymmetricSecurityKey SigningKey(long now) => SigningKeys(now)[0].Key;

    /// <summary>What a token may be signed with now: the key and, inside the overlap, the one before it; each as its holder may have it, behind a foreign prefix.</summary>
    public IReadOnlyList<SigningKey> SigningKeys(long now)
    {
        var state = _state;
        if (state.SigningKeys is null)
        {
            var keys = new List<SigningKey>();
            Add(state.Row.Sealed, state.Row.Digest, null);
            Add(state.Row.PreviousSealed, state.Row.PreviousDigest, state.Row.PreviousUntil);
            state.SigningKeys = keys;

            void Add(byte[]? sealedKey, byte[]? digest, long? until)
            {
                if (sealedKey is null || digest is null) return;
                var text = _master.Open(sealedKey, KeyStore.SealOwner(state.Row.Project, state.Row.Id));
                foreach (var prefix in (string[])["", .. KeyText.ForeignPrefixes])
                    keys.Add(new SigningKey(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(prefix + text)), digest, until));
            }
        }
        return [.. state.SigningKeys.Where(k => k.Until is null || k.Until > now)];
    }

    /// <summary>Whether a secret of the key, by its digest, is good still: what came in with it, or was signed or minted with it.</summary>
    public bool StillSigns(byte[] digest, long now)
    {
        var row = Row;
        if (row.RevokedAt is not null) return false;
        return CryptographicOperations.FixedTimeEquals(row.Digest, digest)
            || (row.PreviousUntil > now && CryptographicOperations.FixedTimeEquals(row.PreviousDigest, digest));
    }

    /// <summary>
    /// When what came in with a secret of the key ends by itself, microseconds; null when it does not.
    /// </summary>
    public long? ExpiryOf(byte[] digest)
    {
        var row = Row;
        if (CryptographicOperations.FixedTimeEquals(row.Digest, digest)) return row.ExpiresAt;
        return Math.Min(row.PreviousUntil ?? 0, row.ExpiresAt ?? long.MaxValue);
    }

    private sealed class State(KeyRow row)
    {
        public KeyRow Row { get; } = row;

        public ScopeSet Scopes { get; } = row.Scopes.Count == 0 ? ScopeSet.Everything : ScopeSet.Parse(row.Scopes);

        public List<SigningKey>? SigningKeys { get; set; }
    }
}

/// <param name="Key">What HMAC-SHA256 is computed with.</param>
/// <param name="Digest">Which key row's secret it is, by its stored digest.</param>
/// <param name="Until">The end of the overlap for a rotated key; null for the present one.</param>
internal sealed record SigningKey(SymmetricSecurityKey Key, byte[] Digest, long? Until);
