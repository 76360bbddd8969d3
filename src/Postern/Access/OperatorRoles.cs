using Postern.Settings;

namespace Postern.Access;

/// <summary>
/// What people may do whom somebody else vouches for, by their name: <c>Postern:Operators:Roles</c>. A name that begins
/// with <c>group:</c> stands for a group: nobody is called so, whatever his provider says.
/// </summary>
internal sealed class OperatorRoles(PosternOptions options)
{
    private const string Group = "group:";

    /// <summary>Roles of one person that are looked at.</summary>
    private const int Most = 200;

    private readonly Dictionary<string, string[]> _scopes = options.Operators.Roles.ToDictionary(
        r => r.Key,
        r => r.Value.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries),
        StringComparer.Ordinal
    );

    /// <summary>The scopes of a person by his own name; null when it has no role.</summary>
    public ScopeSet? Of(string identity) =>
        !identity.StartsWith(Group, StringComparison.Ordinal) && _scopes.TryGetValue(identity, out var scopes)
            ? ScopeSet.Parse(scopes)
            : null;

    /// <summary>The names of the roles that a person has, by his own name and those of his groups.</summary>
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

    /// <summary>What roles allow together, as the settings are now; null when none of them is left.</summary>
    public ScopeSet? OfNames(IEnumerable<string> names)
    {
        var known = names.Where(_scopes.ContainsKey).ToList();
        return known.Count == 0 ? null : ScopeSet.Parse(known.SelectMany(n => _scopes[n]));
    }
}
