namespace Postern.Access;

/// <summary>
/// One scope, <c>action:type[:id]</c>; everything after the second colon is the id. A scope without an id covers every
/// id and the collection. A scope with an id covers only that id, never the collection.
/// </summary>
internal readonly record struct Scope(string Action, string Type, string? Id)
{
    private static readonly string[] Actions = ["read", "write", "admin", "trigger", "batchTrigger", "update", "*"];
    private static readonly string[] Types =
    [
        "sessions",
        "tasks",
        "runs",
        "triggers",
        "approvals",
        "deliveries",
        "keys",
        "all",
        "tags",
    ];

    /// <summary>
    /// Returns false for a malformed text: an empty segment or id, white space other than single spaces inside an id,
    /// an unknown word.
    /// </summary>
    public static bool TryParse(string text, out Scope scope)
    {
        scope = default;
        if (text.Length is 0 or > 600 || !HasPlainBlanks(text))
            return false;
        var parts = text.Split(':', 3);
        if (parts.Length == 1)
        {
            scope = new Scope(text, "", null);
            return text == "admin";
        }
        var id = parts.Length == 3 ? parts[2] : null;
        if (id is "" or [' ', ..])
            return false;
        scope = new Scope(parts[0], parts[1], id);
        return Actions.Contains(parts[0], StringComparer.Ordinal) && Types.Contains(parts[1], StringComparer.Ordinal);
    }

    /// <summary>Returns whether its only white space is single spaces inside.</summary>
    private static bool HasPlainBlanks(string text) =>
        text[^1] != ' '
        && !text.Contains("  ", StringComparison.Ordinal)
        && !text.Any(c => char.IsControl(c) || (char.IsWhiteSpace(c) && c != ' '));

    public bool IsFullAdmin => Action == "admin" && Type.Length == 0;

    /// <summary>
    /// Returns whether this scope satisfies a requirement. <c>write</c> includes <c>trigger</c>, <c>batchTrigger</c>
    /// and <c>update</c>; <c>admin:type</c> is only that action.
    /// </summary>
    public bool Covers(RequiredScope need)
    {
        if (IsFullAdmin)
            return true;
        if (need.Type.Length == 0 || (Type != "all" && Type != need.Type))
            return false;
        if (Id is not null && (need.Id is null || (Id != need.Id && Id != need.OtherId)))
            return false;
        return NarrowerAction(need.Action, Action) is not null;
    }

    /// <summary>
    /// Returns whether <paramref name="other"/> allows everything that this scope allows. Minting compares scopes with
    /// it.
    /// </summary>
    public bool IsWithin(Scope other)
    {
        if (other.IsFullAdmin)
            return true;
        if (IsFullAdmin)
            return false;
        if (other.Type != "all" && other.Type != Type)
            return false;
        if (other.Id is not null && other.Id != Id)
            return false;
        return NarrowerAction(Action, other.Action) is not null;
    }

    /// <summary>
    /// Returns whether it gives the right to decide approvals by name. An implied right cannot be passed on to a
    /// credential.
    /// </summary>
    public bool DecidesApprovals => Type == "approvals" && Action is "write" or "*";

    /// <summary>Returns the scope that both allow, or null when there is none.</summary>
    public Scope? Meet(Scope other)
    {
        if (IsWithin(other))
            return this;
        if (other.IsWithin(this))
            return other;
        if (IsFullAdmin || other.IsFullAdmin)
            return null;
        var action = CommonAction(Action, other.Action);
        var type = CommonType(Type, other.Type);
        var differ = Id is not null && other.Id is not null && Id != other.Id;
        return action is null || type is null || differ ? null : new Scope(action, type, Id ?? other.Id);
    }

    private static string? CommonAction(string one, string other) =>
        NarrowerAction(one, other) ?? NarrowerAction(other, one);

    private static string? CommonType(string one, string other) => NarrowerType(one, other) ?? NarrowerType(other, one);

    /// <summary>The type, when <paramref name="other"/> includes it.</summary>
    private static string? NarrowerType(string type, string other) => other == "all" || other == type ? type : null;

    /// <summary>The action, when <paramref name="other"/> includes it.</summary>
    private static string? NarrowerAction(string action, string other) =>
        other == "*" || other == action || (other == "write" && action is "trigger" or "batchTrigger" or "update")
            ? action
            : null;

    public override string ToString() =>
        IsFullAdmin ? "admin"
        : Id is null ? $"{Action}:{Type}"
        : $"{Action}:{Type}:{Id}";
}
