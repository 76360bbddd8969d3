using Postern.Settings;

namespace Postern.Access;

/// <summary>
/// The roles of people for whom a proxy or provider vouches, by their name: <c>Postern:Operators:Roles</c>. A name that
/// begins with <c>group:</c> stands for a group; no person can have such a name.
/// </summary>
internal sealed class OperatorRoles(PosternOptions options)
{
    private const string Group = "group:";

    /// <summary>The most roles of one person that are read.</summary>
    private const int Most = 200;

    private readonly Dictionary<string, string[]> _scopes = options.Operators.Roles.ToDictionary(
        r => r.Key,
        r => r.Value.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries),
        StringComparer.Ordinal
    );

    /// <summary>Returns the scopes of a person by the person's own name, or null when it has no role.</summary>
    public ScopeSet? Of(string identity) =>
        !identity.StartsWith(Group, StringComparison.Ordinal) && _scopes.TryGetValue(identity, out var scopes)
            ? ScopeSet.Parse(scopes)
            : null;

    /// <summary>Returns the names of a person's roles, by the own name and those of the groups.</summary>
    public IReadOnlyList<string> NamesOf(string identity, IEnumerable<string> groups) =>
        [
            .. groups
                .Select(g => Group + g)
                .Concat(identity.StartsWith(Group, StringComparison.Ordinal) ? [] : [identity])
                .Where(_scopes.ContainsKey)
                .Distinct(StringComparer.Ordinal)
                .Order(StringComparer.Ordinal)
                .Take(Most),
        ];

    /// <summary>
    /// Returns what roles allow together, by the present settings, or null when none of them exists any more.
    /// </summary>
    public ScopeSet? OfNames(IEnumerable<string> names)
    {
        var known = names.Where(_scopes.ContainsKey).ToList();
        return known.Count == 0 ? null : ScopeSet.Parse(known.SelectMany(n => _scopes[n]));
    }
}
