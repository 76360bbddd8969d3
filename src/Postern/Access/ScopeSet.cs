namespace Postern.Access;

/// <summary>
/// The scopes of a caller. <see cref="Everything"/> is a key without scopes: its rights are implied, not granted.
/// </summary>
internal sealed class ScopeSet
{
    private readonly Scope[] _scopes;

    private ScopeSet(Scope[] scopes, bool everything) => (_scopes, IsEverything) = (scopes, everything);

    /// <summary>A key without scopes: all rights, none of them granted explicitly.</summary>
    public static ScopeSet Everything { get; } = new([], everything: true);

    public static ScopeSet Nothing { get; } = new([], everything: false);

    public bool IsEverything { get; }

    public IReadOnlyList<Scope> Listed => _scopes;

    /// <summary>Makes a set. Malformed scopes match nothing and are left out.</summary>
    public static ScopeSet Parse(IEnumerable<string> texts)
    {
        var scopes = new List<Scope>();
        foreach (var text in texts)
        foreach (var name in Expand(text))
            if (Scope.TryParse(name, out var scope))
                scopes.Add(scope);
        return new ScopeSet([.. scopes], everything: false);
    }

    /// <summary>
    /// Returns the first text that is no scope, for a refusal that names it; null when all are well formed.
    /// </summary>
    public static string? FirstMalformed(IEnumerable<string> texts) =>
        texts.FirstOrDefault(t => !Expand(t).All(name => Scope.TryParse(name, out _)));

    public bool Allows(RequiredScope need) =>
        need.How switch
        {
            Given.Anyhow => IsEverything || Covers(need),
            Given.Explicitly => Covers(need),
            _ => CoversByName(need),
        };

    /// <summary>Returns whether it allows this on anything of the type, even on a single id.</summary>
    public bool AllowsSome(string action, string type, Given how = Given.Anyhow) =>
        (IsEverything && how == Given.Anyhow)
        || _scopes.Any(s => (how != Given.ByName || s.Type == type) && s.Covers(new RequiredScope(action, type, s.Id)));

    /// <summary>Returns whether a caller with these scopes may pass on <paramref name="scope"/>.</summary>
    public bool MayMint(Scope scope) => IsEverything || _scopes.Any(scope.IsWithin);

    /// <summary>
    /// Returns what both sets allow: an identity narrowed by its request, or a token narrowed with the key that minted
    /// it.
    /// </summary>
    public ScopeSet Intersect(ScopeSet other)
    {
        if (IsEverything)
            return other;
        if (other.IsEverything)
            return this;
        var both = new HashSet<Scope>();
        foreach (var mine in _scopes)
        foreach (var theirs in other._scopes)
            if (mine.Meet(theirs) is { } common)
                both.Add(common);
        return new ScopeSet([.. both], everything: false);
    }

    private bool Covers(RequiredScope need)
    {
        foreach (var scope in _scopes)
            if (scope.Covers(need))
                return true;
        return false;
    }

    private bool CoversByName(RequiredScope need)
    {
        foreach (var scope in _scopes)
            if (scope.Type == need.Type && scope.Covers(need))
                return true;
        return false;
    }

    /// <summary>The operator scopes are other names for ordinary ones.</summary>
    private static string[] Expand(string text) =>
        text switch
        {
            "operator.read" => ["read:all"],
            "operator.write" => ["read:all", "write:all"],
            "operator.admin" => ["admin"],
            "operator.approvals" => ["read:approvals", "write:approvals"],
            "operator.sessions.read" => ["read:sessions"],
            "operator.sessions.write" => ["read:sessions", "write:sessions"],
            _ => [text],
        };
}
