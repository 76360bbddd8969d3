using System.Collections.Concurrent;

namespace Postern.Access;

/// <summary>The rules that end tokens before their time, in memory: asked for every request and frame of a token, in O(1).</summary>
internal sealed class Revocations
{
    private readonly ConcurrentDictionary<(string Project, string Kind, string Value), RevocationRow> _rules = new();

    public bool Ends(TokenClaims claims, string digest)
    {
        if (_rules.IsEmpty) return false;
        if (claims.Jti is not null && _rules.ContainsKey((claims.Project, "jti", claims.Jti))) return true;
        if (_rules.ContainsKey((claims.Project, "token", digest))) return true;
        if (claims.Origin is not null && (_rules.ContainsKey((claims.Project, "jti", claims.Origin)) || _rules.ContainsKey((claims.Project, "token", claims.Origin)))) return true;
        return _rules.TryGetValue((claims.Project, "subject", claims.Subject), out var rule) && claims.IssuedAt < rule.IssuedBefore;
    }

    public void Add(IEnumerable<RevocationRow> rules)
    {
        foreach (var rule in rules) _rules[(rule.Project, rule.Kind, rule.Value)] = rule;
    }

    /// <summary>Forgets rules whose tokens have all expired.</summary>
    public void Forget(long now)
    {
        foreach (var (key, rule) in _rules) if (rule.Until <= now) _rules.TryRemove(key, out _);
    }
}
