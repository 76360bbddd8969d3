using Postern.Settings;
using Postern.Storage;

namespace Postern.Access;

/// <summary>Returns the present authority for a <see cref="Mandate"/>.</summary>
internal sealed class Mandates(AccessInMemory kept, Database database, PosternOptions options)
{
    private readonly OperatorRoles _roles = new(options);

    /// <summary>
    /// Returns the authority, or null when there is none any more. The caller asks it whether it has ended and what it
    /// allows.
    /// </summary>
    public async ValueTask<Authority?> FindAsync(string project, Mandate mandate)
    {
        if (mandate is { KeyId: { } id, Secret: { } secret })
            return await kept.Keys.FindAsync(project, id) is { } key ? new KeyGrant(key, secret) : null;
        if (mandate is not { Identity: { } identity, Session: { } session })
            return null;
        var found = await database.ReadAsync(tx =>
            tx.FirstAsync<(long Until, string? Roles)?>(
                "SELECT until, roles FROM console_session WHERE project = $1 AND id = $2 AND ended_at IS NULL",
                r => (r.GetInt64(0), r.TextOrNull(1)),
                project,
                session
            )
        );
        if (found is not var (until, names))
            return null;
        // A person whose role was narrowed since can do less.
        var now = names is null
            ? _roles.Of(identity) ?? ScopeSet.Parse(["operator.read"])
            : _roles.OfNames(names.Split('\n'));
        return now is null ? null : new PersonAuthority(identity, ScopeSet.Parse(mandate.Scopes).Intersect(now), until);
    }
}
