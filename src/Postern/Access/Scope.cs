namespace Postern.Access;

/// <summary>
/// One scope, <c>action:type[:id]</c>; everything after the second colon is the id. A scope without an id covers every
/// id and the collection; with one it covers that id and never the collection.
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
    /// False for what is malformed: an empty segment or id, white space but single spaces inside an id, an unknown
    /// word.
    /// </summary>
    public static bool TryParse(string text, out Scope scope)
    {
        scope = default;
        if (text.Length is 0 or > 600 || text[^1] == ' ' || text.Contains("  ", StringComparison.Ordinal))
            return false;
        foreach (var c in text)
            if ((char.IsWhiteSpace(c) && c != ' ') || char.IsControl(c))
                return false;
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
        if (
            !Actions.Contains(action, StringComparer.Ordinal)
            || !Types.Contains(type, StringComparer.Ordinal)
            || id is ""
            || id?[0] == ' '
        )
            return false;
        scope = new Scope(action, type, id);
        return true;
    }

    public bool IsFullAdmin => Action == "admin" && Type.Length == 0;

    /// <summary>
    /// Whether this scope satisfies a need. <c>write</c> includes <c>trigger</c>, <c>batchTrigger</c> and
    /// <c>update</c>; <c>admin:type</c> is that action alone.
    /// </summary>
    public bool Covers(RequiredScope need)
    {
        if (IsFullAdmin)
            return true;
        if (need.Type.Length == 0 || (Type != "all" && Type != need.Type))
            return false;
        if (Id is not null && (need.Id is null || (Id != need.Id && Id != need.OtherId)))
            return false;
        return Action == "*"
            || Action == need.Action
            || (Action == "write" && need.Action is "trigger" or "batchTrigger" or "update");
    }

    /// <summary>
    /// Whether everything this scope allows is allowed by <paramref name="other"/>: what minting compares.
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
    /// Whether it gives the right to decide approvals by name: no right that is only implied makes a credential with
    /// it.
    /// </summary>
    public bool DecidesApprovals => Type == "approvals" && Action is "write" or "*";

    /// <summary>What both allow, or null when they have nothing in common.</summary>
    public Scope? Meet(Scope other)
    {
        if (IsWithin(other))
            return this;
        if (other.IsWithin(this))
            return other;
        if (IsFullAdmin || other.IsFullAdmin)
            return null;
        var action = NarrowerAction(Action, other.Action) ?? NarrowerAction(other.Action, Action);
        var type =
            Type == other.Type || other.Type == "all" ? Type
            : Type == "all" ? other.Type
            : null;
        if (action is null || type is null || (Id is not null && other.Id is not null && Id != other.Id))
            return null;
        return new Scope(action, type, Id ?? other.Id);
    }

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
