namespace Postern.Access;

/// <summary>What a route asks for: an action on a type, on one thing of it (by either of its two names) or on the collection.</summary>
internal readonly record struct Need(string Action, string Type, string? Id = null, string? OtherId = null)
{
    public override string ToString() => Id is null ? $"{Action}:{Type}" : $"{Action}:{Type}:{Id}";
}

/// <summary>
/// One scope, <c>action:type[:id]</c>; everything after the second colon is the id. A scope without an id covers every id
/// and the collection; with one it covers that id and never the collection.
/// </summary>
internal readonly record struct Scope(string Action, string Type, string? Id)
{
    private static readonly string[] Actions = ["read", "write", "admin", "trigger", "batchTrigger", "update", "*"];
    private static readonly string[] Types = ["sessions", "tasks", "runs", "triggers", "approvals", "deliveries", "keys", "all", "tags"];

    /// <summary>False for what is malformed: an empty segment or id, white space, an unknown action or type.</summary>
    public static bool TryParse(string text, out Scope scope)
    {
        scope = default;
        if (text.Length is 0 or > 600) return false;
        foreach (var c in text) if (char.IsWhiteSpace(c) || char.IsControl(c)) return false;
        var first = text.IndexOf(':', StringComparison.Ordinal);
        if (first < 0)
        {
            scope = new Scope(text, "", null);
            return text == "admin";
        }
        var second = text.IndexOf(':', first + 1);
        var action = text[..first];
        var type = second < 0 ? text[(first + 1)..] : text[(first + 1)..second];
        var id = second < 0 ? null : text[(second + 1)..];
        if (!Actions.Contains(action, StringComparer.Ordinal) || !Types.Contains(type, StringComparer.Ordinal) || id is "") return false;
        scope = new Scope(action, type, id);
        return true;
    }

    public bool IsFullAdmin => Action == "admin" && Type.Length == 0;

    /// <summary>Whether this scope satisfies a need. <c>write</c> includes <c>trigger</c>, <c>batchTrigger</c> and <c>update</c>; <c>admin:type</c> is that action alone.</summary>
    public bool Covers(Need need)
    {
        if (IsFullAdmin) return true;
        if (Type != "all" && Type != need.Type) return false;
        if (Id is not null && (need.Id is null || (Id != need.Id && Id != need.OtherId))) return false;
        return Action == "*" || Action == need.Action || (Action == "write" && need.Action is "trigger" or "batchTrigger" or "update");
    }

    /// <summary>Whether everything this scope allows is allowed by <paramref name="other"/>: what minting compares.</summary>
    public bool IsWithin(Scope other)
    {
        if (other.IsFullAdmin) return true;
        if (IsFullAdmin) return false;
        if (other.Type != "all" && other.Type != Type) return false;
        if (other.Id is not null && other.Id != Id) return false;
        return other.Action == "*" || other.Action == Action || (other.Action == "write" && Action is "trigger" or "batchTrigger" or "update");
    }

    public override string ToString() => IsFullAdmin ? "admin" : Id is null ? $"{Action}:{Type}" : $"{Action}:{Type}:{Id}";
}

/// <summary>The scopes of a caller. <see cref="Everything"/> is a key without scopes: its rights are implied, not granted.</summary>
internal sealed class ScopeSet
{
    private readonly Scope[] _scopes;

    private ScopeSet(Scope[] scopes, bool everything) => (_scopes, IsEverything) = (scopes, everything);

    /// <summary>A key without scopes: all rights, none of them granted explicitly.</summary>
    public static ScopeSet Everything { get; } = new([], everything: true);

    public static ScopeSet Nothing { get; } = new([], everything: false);

    public bool IsEverything { get; }

    public IReadOnlyList<Scope> Listed => _scopes;

    /// <summary>Malformed scopes match nothing: they are left out.</summary>
    public static ScopeSet Parse(IEnumerable<string> texts)
    {
        var scopes = new List<Scope>();
        foreach (var text in texts)
            foreach (var name in Expand(text))
                if (Scope.TryParse(name, out var scope)) scopes.Add(scope);
        return new ScopeSet([.. scopes], everything: false);
    }

    /// <summary>The first text that is no scope, for a refusal that names it; null when all are well formed.</summary>
    public static string? FirstMalformed(IEnumerable<string> texts) => texts.FirstOrDefault(t => !Expand(t).All(name => Scope.TryParse(name, out _)));

    public bool Allows(Need need) => IsEverything || Granted(need);

    /// <summary>Allowed by a scope that was written down, rather than by the absence of any.</summary>
    public bool Granted(Need need)
    {
        foreach (var scope in _scopes) if (scope.Covers(need)) return true;
        return false;
    }

    /// <summary>Granted on this type by name: a scope on everything, or one that is implied, is not enough.</summary>
    public bool GrantedByName(Need need) => _scopes.Any(scope => scope.Type == need.Type && scope.Covers(need));

    public bool GrantedFullAdmin => _scopes.Any(s => s.IsFullAdmin);

    /// <summary>Whether a caller with these scopes may hand out <paramref name="scope"/>.</summary>
    public bool MayMint(Scope scope) => IsEverything || _scopes.Any(scope.IsWithin);

    /// <summary>The scopes of both: a proxy's identity narrowed by what the request asks for.</summary>
    public ScopeSet NarrowedTo(ScopeSet asked) => IsEverything ? asked : new ScopeSet([.. asked._scopes.Where(MayMint)], everything: false);

    /// <summary>The operator scopes are names for ordinary ones.</summary>
    private static string[] Expand(string text) => text switch
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
