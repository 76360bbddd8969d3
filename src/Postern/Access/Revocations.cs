using System.Collections.Concurrent;

namespace Postern.Access;

/// <summary>
/// The rules that end tokens before they expire, in memory. They are checked for every request and frame of a token, in
/// O(1).
/// </summary>
internal sealed class Revocations
{
    private readonly ConcurrentDictionary<(string Project, string Kind, string Value), RevocationRow> _rules = new();

    public int Count => _rules.Count;

    public bool Ends(TokenClaims claims, string digest)
    {
        if (_rules.IsEmpty)
            return false;
        if (claims.Jti is not null && _rules.ContainsKey((claims.Project, "jti", claims.Jti)))
            return true;
        if (_rules.ContainsKey((claims.Project, "token", digest)))
            return true;
        foreach (var ancestor in claims.Ancestors)
            if (
                _rules.ContainsKey((claims.Project, "jti", ancestor))
                || _rules.ContainsKey((claims.Project, "token", ancestor))
            )
                return true;
        // A line begins with its first token: a rule that ended that token by its subject also ended everything derived
        // from it.
        return _rules.TryGetValue((claims.Project, "subject", claims.Subject), out var rule)
            && Math.Min(claims.IssuedAt, claims.Since ?? long.MaxValue) < rule.IssuedBefore;
    }

    public void Add(IEnumerable<RevocationRow> rules)
    {
        foreach (var rule in rules)
            _rules[(rule.Project, rule.Kind, rule.Value)] = rule;
    }

    /// <summary>Forgets rules whose tokens have all expired.</summary>
    public void Forget(long now)
    {
        foreach (var (key, rule) in _rules)
            if (rule.Until <= now)
                _rules.TryRemove(key, out _);
    }
}
