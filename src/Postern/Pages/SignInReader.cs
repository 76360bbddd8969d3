using Postern.Access;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// Finds the person who signs in: with a key, with a link from the machine, or by the word of a trusted proxy.
/// </summary>
internal sealed class SignInReader(
    ConsoleSessions sessions,
    KeyRing keys,
    CredentialReader credentials,
    AccessWatch access,
    Database database
)
{
    /// <summary>Reads the rights from the database now. A link can be used once.</summary>
    public async ValueTask<SignInTry> TryAsync(HttpContext http, ConsoleForm form)
    {
        await access.EnsureRecentAsync();
        if (form.Text("identity") is { } identity)
            return await TryProxyAsync(http, identity);
        // The text that was copied, with the address of the link or without it. Both fields accept both.
        if ((form.Text("once") ?? form.Text("key")) is not { } given)
            return new SignInTry(null, "missing");
        var text = given.Trim();
        if (await sessions.UseLinkAsync(text[(text.LastIndexOf('#') + 1)..]) is { } link)
            return await keys.FindAsync(link.Project, link.Key) is { } key && key.WhyEnded(database.Now) is null
                ? new SignInTry(new ConsolePerson(link.Project, link.Key, key.Row.Digest))
                : new SignInTry(null, "revoked", link.Key);
        return await keys.VerifyAsync(text, database.Now) is { } grant
            ? new SignInTry(new ConsolePerson(grant.Key.Row.Project, grant.Key.Row.Id, grant.Secret))
            : new SignInTry(null, keys.WhyRefused(text, database.Now, out var known), known);
    }

    private async ValueTask<SignInTry> TryProxyAsync(HttpContext http, string identity) =>
        await credentials.TryProxyAsync(http) is { Caller: { } person } && person.Authority.Actor == identity
            ? new SignInTry(new ConsolePerson(person.Project, ConsolePerson.OfProxy + identity))
            : new SignInTry(null, "other_identity");
}
