using Postern.Access;
using Postern.Settings;

namespace Postern.Pages;

/// <summary>Finds the person here whom the identity provider names.</summary>
internal sealed class OidcOperators(PosternOptions options, Projects projects)
{
    private readonly OperatorRoles _roles = new(options);

    /// <summary>Whether the settings name a provider.</summary>
    public bool MaySignIn => options.Console.Oidc.IsOn();

    /// <summary>
    /// Returns the person with the present roles, or null when the person has none or there is no project.
    /// </summary>
    public async ValueTask<ConsolePerson?> FindAsync(OidcPerson person)
    {
        var names = _roles.NamesOf(person.Name, person.Groups);
        return names.Count > 0 && await projects.DefaultAsync() is { } project
            ? new ConsolePerson(project, ConsolePerson.OfOidc + person.Name, Roles: names)
            : null;
    }
}
