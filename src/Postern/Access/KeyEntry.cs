using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;

namespace Postern.Access;

/// <summary>
/// One key in memory. Every request and stream with this key, and every token that it minted, uses this object.
/// </summary>
internal sealed class KeyEntry
{
    private const long Minute = 60_000_000;
    private readonly MasterKey _master;
    private volatile State _state;

    /// <summary>The most addresses between two writes; further ones are dropped.</summary>
    private const int MostAddresses = 16;
    private readonly ConcurrentDictionary<IPAddress, long> _from = new();
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
        if (row.RevokedAt is not null)
            return StreamEnd.Revoked;
        return row.ExpiresAt <= now ? StreamEnd.Expired : null;
    }

    /// <summary>
    /// Returns the grant for a presented text, or null when the text is not the key's or the key has ended.
    /// </summary>
    public KeyGrant? Matches(string key, long now)
    {
        var row = Row;
        var secret = KeyDigest.Matches(key, row.Salt, row.Digest) ? row.Digest : null;
        if (secret is null && row.PreviousUntil > now && KeyDigest.Matches(key, row.PreviousSalt!, row.PreviousDigest!))
            secret = row.PreviousDigest;
        if (secret is null || WhyEnded(now) is not null)
            return null;
        _usedAt = now - (now % Minute);
        return new KeyGrant(this, secret);
    }

    /// <summary>
    /// Returns why a text of the key opens nothing now: <c>revoked_key</c>, <c>expired_key</c>, <c>rotated_key</c>.
    /// Returns null when it is none of its texts since the last rotation.
    /// </summary>
    public string? WhyRefused(string key, long now)
    {
        var row = Row;
        var isPresent = KeyDigest.Matches(key, row.Salt, row.Digest);
        var isPrevious = row.PreviousSalt is { } salt && KeyDigest.Matches(key, salt, row.PreviousDigest!);
        if (!isPresent && !isPrevious)
            return null;
        return WhyEnded(now) switch
        {
            StreamEnd.Revoked => "revoked_key",
            StreamEnd.Expired => "expired_key",
            _ => "rotated_key",
        };
    }

    public void Update(KeyRow row)
    {
        if (row.Changed >= Row.Changed)
            _state = new State(row);
    }

    public long? TakeUsed()
    {
        var used = Interlocked.Exchange(ref _usedAt, 0);
        return used > (Row.LastUsedAt ?? 0) ? used : null;
    }

    /// <summary>Records the address of a use, to the minute.</summary>
    public void UsedFrom(IPAddress address, long now)
    {
        var minute = now - (now % Minute);
        if (_from.TryGetValue(address, out var at) ? at != minute : _from.Count < MostAddresses)
            _from[address] = minute;
    }

    /// <summary>Returns the addresses of uses since the last call.</summary>
    public List<(IPAddress Address, long At)> TakeAddresses()
    {
        var taken = new List<(IPAddress, long)>();
        foreach (var (address, _) in _from)
            if (_from.TryRemove(address, out var at))
                taken.Add((address, at));
        return taken;
    }

    /// <summary>The key with which the server signs now.</summary>
    public SymmetricSecurityKey SigningKey(long now) => SigningKeys(now)[0].Key;

    /// <summary>
    /// The keys with which a token may be signed now: the present one and, during the overlap, the previous one; each
    /// also with the foreign prefixes that its holder may use.
    /// </summary>
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
                if (sealedKey is null || digest is null)
                    return;
                var text = _master.Unprotect(sealedKey, KeyStore.SealPurpose(state.Row.Project, state.Row.Id));
                foreach (var prefix in (string[])["", .. ApiKey.ForeignPrefixes])
                    keys.Add(
                        new SigningKey(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(prefix + text)), digest, until)
                    );
            }
        }
        return [.. state.SigningKeys.Where(k => k.Until is null || k.Until > now)];
    }

    /// <summary>Returns whether a secret of the key, given by its digest, is still valid.</summary>
    public bool StillSigns(byte[] digest, long now)
    {
        var row = Row;
        if (row.RevokedAt is not null)
            return false;
        return CryptographicOperations.FixedTimeEquals(row.Digest, digest)
            || (row.PreviousUntil > now && CryptographicOperations.FixedTimeEquals(row.PreviousDigest, digest));
    }

    /// <summary>Returns when a secret of the key expires, in microseconds, or null when it does not.</summary>
    public long? ExpiryOf(byte[] digest)
    {
        var row = Row;
        if (CryptographicOperations.FixedTimeEquals(row.Digest, digest))
            return row.ExpiresAt;
        return Math.Min(row.PreviousUntil ?? 0, row.ExpiresAt ?? long.MaxValue);
    }

    private sealed class State(KeyRow row)
    {
        public KeyRow Row { get; } = row;

        public ScopeSet Scopes { get; } = row.Scopes.Count == 0 ? ScopeSet.Everything : ScopeSet.Parse(row.Scopes);

        public List<SigningKey>? SigningKeys { get; set; }
    }
}
