namespace Postern.Access;

/// <summary>How a right must have been given for a need.</summary>
internal enum Given
{
    /// <summary>By a scope, or implied by a key without scopes.</summary>
    Anyhow,

    /// <summary>By a scope that was written down.</summary>
    Explicitly,

    /// <summary>By a scope that names the type: a scope on everything is not enough.</summary>
    ByName,
}

/// <summary>What a route asks for: an action on a type, on one thing of it (by either of its two names) or on the collection.</summary>
/// <param name="How">How the right must have been given.</param>
internal readonly record struct Need(string Action, string Type, string? Id = null, string? OtherId = null, Given How = Given.Anyhow)
{
    /// <summary>The bare word <c>admin</c>, or an unrestricted key: <c>admin:all</c> is not enough.</summary>
    public static Need FullAdmin { get; } = new("admin", "");

    /// <summary>The bare word <c>admin</c>, written down.</summary>
    public static Need GrantedAdmin { get; } = new("admin", "", How: Given.Explicitly);

    public override string ToString() => Type.Length == 0 ? Action : Id is null ? $"{Action}:{Type}" : $"{Action}:{Type}:{Id}";
}

/// <summary>
/// One scope, <c>action:type[:id]</c>; everything after the second colon is the id. A scope without an id covers every id
/// and the collection; with one it covers that id and never the collection.
/// </summary>
internal readonly record struct Scope(string Action, string Type, string? Id)
{
    private static readonly string[] Actions = ["read", "write", "admin", "trigger", "batchTrigger", "update", "*"];
    private static readonly string[] Types = ["sessions", "tasks", "runs", "triggers", "approvals", "deliveries", "keys", "all", "tags"];

    /// <summary>False for what is malformed: an empty segment or id, white space but single spaces inside an id, an unknown word.</summary>
    public static bool TryParse(string text, out Scope scope)
    {
        scope = default;
        if (text.Length is 0 or > 600 || text[^1] == ' ' || text.Contains("  ", StringComparison.Ordinal)) return false;
        foreach (var c in text) if ((char.IsWhiteSpace(c) && c != ' ') || char.IsControl(c)) return false;
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
        if (!Actions.Contains(action, StringComparer.Ordinal) || !Types.Contains(type, StringComparer.Ordinal) || id is "" || id?[0] == ' ') return false;
        scope = new Scope(action, type, id);
        return true;
    }

    public bool IsFullAdmin => Action == "admin" && Type.Length == 0;

    /// <summary>Whether this scope satisfies a need. <c>write</c> includes <c>trigger</c>, <c>batchTrigger</c> and <c>update</c>; <c>admin:type</c> is that action alone.</summary>
    public bool Covers(Need need)
    {
        if (IsFullAdmin) return true;
        if (need.Type.Length == 0 || (Type != "all" && Type != need.Type)) return false;
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
        return NarrowerAction(Action, other.Action) is not null;
    }

    /// <summary>Whether it gives the right to decide approvals by name: no right that is only implied makes a credential with it.</summary>
    public bool DecidesApprovals => Type == "approvals" && Action is "write" or "*";

    /// <summary>What both allow, or null when they have nothing in common.</summary>
    public Scope? Meet(Scope other)
    {
        if (IsWithin(other)) return this;
        if (other.IsWithin(this)) return other;
        if (IsFullAdmin || other.IsFullAdmin) return null;
        var action = NarrowerAction(Action, other.Action) ?? NarrowerAction(other.Action, Action);
        var type = Type == other.Type || other.Type == "all" ? Type : Type == "all" ? other.Type : null;
        if (action is null || type is null || (Id is not null && other.Id is not null && Id != other.Id)) return null;
        return new Scope(action, type, Id ?? other.Id);
    }

    /// <summary>The action, when <paramref name="other"/> includes it.</summary>
    private static string? NarrowerAction(string action, string other) =>
        other == "*" || other == action || (other == "write" && action is "trigger" or "batchTrigger" or "update") ? action : null;

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

    public bool Allows(Need need) => need.How switch
    {
        Given.Anyhow => IsEverything || Covers(need),
        Given.Explicitly => Covers(need),
        _ => CoversByName(need),
    };

    /// <summary>Whether it allows this on anything at all of the type, be it on one id.</summary>
    public bool AllowsSome(string action, string type, Given how = Given.Anyhow) =>
        (IsEverything && how == Given.Anyhow) || _scopes.Any(s => (how != Given.ByName || s.Type == type) && s.Covers(new Need(action, type, s.Id)));

    /// <summary>Whether a caller with these scopes may hand out <paramref name="scope"/>.</summary>
    public bool MayMint(Scope scope) => IsEverything || _scopes.Any(scope.IsWithin);

    /// <summary>What both allow: an identity narrowed by its request, a token narrowed with the key that minted it.</summary>
    public ScopeSet Intersect(ScopeSet other)
    {
        if (IsEverything) return other;
        if (other.IsEverything) return this;
        var both = new HashSet<Scope>();
        foreach (var mine in _scopes)
            foreach (var theirs in other._scopes)
                if (mine.Meet(theirs) is { } common) both.Add(common);
        return new ScopeSet([.. both], everything: false);
    }

    private bool Covers(Need need)
    {
        foreach (var scope in _scopes) if (scope.Covers(need)) return true;
        return false;
    }

    private bool CoversByName(Need need)
    {
        foreach (var scope in _scopes) if (scope.Type == need.Type && scope.Covers(need)) return true;
        return false;
    }

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
