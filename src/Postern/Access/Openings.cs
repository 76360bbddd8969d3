using System.Text.RegularExpressions;

namespace Postern.Access;

/// <summary>
/// Compares a credential with the rows of the door table, by the texts and scopes that the doors declare. No door is
/// called.
/// </summary>
/// <param name="held">The kinds of credential that its holder can present.</param>
/// <param name="scopes">What it may do.</param>
/// <param name="isFirstRoot">It is the root key of the project <c>default</c>.</param>
internal sealed partial class Openings(Credentials held, ScopeSet scopes, bool isFirstRoot)
{
    /// <summary>The kinds of credential that the holder of a key can present.</summary>
    public static Credentials OfKey(string kind) =>
        Credentials.Key
        | Credentials.Operator
        | Credentials.InternalKey
        | Credentials.Console
        | (kind == "pat" ? Credentials.PersonalKey : 0);

    /// <summary>The kinds of credential that a person named by a trusted proxy can present.</summary>
    public const Credentials OfProxy = Credentials.Operator | Credentials.Console;

    public Opening Of(Door door)
    {
        if (door.Credentials == Credentials.Anyone)
            return new Opening(Opening.Opens, "");
        var common = door.Credentials & held;
        if (common is 0 or Credentials.InternalKey)
            return new Opening(
                (door.Credentials & Credentials.Anyone) != 0 ? Opening.Asks : Opening.Closed,
                "takes " + Door.NamesOf(door.Credentials)
            );
        if (door.Authorization.RequiredScope is { } need)
            return scopes.Allows(need) ? new Opening(Opening.Opens, "") : Lacks(door.Authorization.Description);
        return OfRule(door.Authorization.Description);
    }

    private Opening OfRule(string rule)
    {
        if (rule.StartsWith("the root key", StringComparison.Ordinal))
            return isFirstRoot ? new Opening(Opening.Opens, "") : Lacks(rule);
        var how = HowIn(rule);
        var all = ScopeInText().Matches(rule).Select(scope => (Opening?)OfScope(scope, rule, how));
        return all.MinBy(opening => Rank(opening!.Value))
            ?? new Opening(rule.StartsWith("any", StringComparison.Ordinal) ? Opening.Opens : Opening.Asks, rule);
    }

    private static Given HowIn(string rule) =>
        rule.EndsWith("granted by name", StringComparison.Ordinal) ? Given.ByName
        : rule.EndsWith("granted explicitly", StringComparison.Ordinal) ? Given.Explicitly
        : Given.Anyhow;

    /// <summary>
    /// Decides for one scope of the text. A scope on the thing that the path names opens the door for some things.
    /// </summary>
    private Opening OfScope(Match scope, string rule, Given how)
    {
        var (action, type) = (scope.Groups["action"].Value, scope.Groups["type"].Value);
        if (scopes.Allows(new RequiredScope(action, type, How: how)))
            return new Opening(Opening.Opens, "");
        return type.Length > 0 && scope.Groups["id"].Success && scopes.AllowsSome(action, type, how)
            ? new Opening(Opening.Some, rule)
            : Lacks(rule);
    }

    private static int Rank(Opening one) =>
        one.Word switch
        {
            Opening.Opens => 0,
            Opening.Some => 1,
            _ => 2,
        };

    private static Opening Lacks(string rule) => new(Opening.Closed, "lacks " + rule);

    [GeneratedRegex(
        @"\b(?<action>read|write|trigger|admin)\b(?::(?<type>[a-z]+)(?<id>:\{\w+\})?)?",
        RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000
    )]
    private static partial Regex ScopeInText();
}
