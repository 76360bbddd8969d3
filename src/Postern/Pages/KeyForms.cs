using System.Globalization;
using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// The actions on keys: making, changing, rotating and revoking one. The text of a key is in one answer only.
/// </summary>
internal sealed class KeyForms(PageWriter writer, FormWrites writes, KeyAdmin admin, KeyStore store) : IPages
{
    private const int MaxName = 128;
    private const long MostOverlap = 30 * 86_400;

    public void Map(PageDoors pages)
    {
        const string one = "/keys/{key}";
        pages
            .Form("/keys", Authorization.Admin, ["name", "kind", "scopes", "ends"], Create)
            .WithSummary("Make a key")
            .Produces<string>(200, "text/html");
        pages.Form(one, Authorization.Admin, ["name", "scopes", "ends"], Change).WithSummary("Change a key");
        pages.Page(one + "/rotate", Authorization.Admin, AskToRotate).WithSummary("Whether to rotate a key");
        pages
            .Form(one + "/rotate", Authorization.Admin, ["overlap"], Rotate)
            .WithSummary("Give a key a new secret")
            .Produces<string>(200, "text/html");
        pages.Page(one + "/revoke", Authorization.Admin, AskToRevoke).WithSummary("Whether to revoke a key");
        pages.Form(one + "/revoke", Authorization.Admin, [], Revoke).WithSummary("Revoke a key");
    }

    private async Task<IResult> Create(PageContext context, ConsoleForm form)
    {
        if (!KeyForm.ReadScopes(form["scopes"]).Try(out var scopes, out var malformed))
            return malformed;
        if (!KeyForm.ReadEnd(context, form["ends"]).Try(out var ends, out var late))
            return late;
        var (name, kind) = (form["name"].Trim(), form.Text("kind") ?? "live");
        if (name.Length is 0 or > MaxName)
            return KeyForm.Bad($"name must have 1 to {MaxName} characters");
        if (kind is not ("live" or "pat"))
            return KeyForm.Bad("kind must be live or pat");
        var caller = context.Caller;
        if ((Minting.RefuseScopes(caller, scopes) ?? Minting.RefuseExpiry(caller, ends.At)) is { } wider)
            return wider;
        MadeKey? made = null;
        var result = await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                var created = await admin.CreateAsync(
                    context.Project,
                    name,
                    kind,
                    scopes,
                    ends.At,
                    caller.Authority.LoggedActor,
                    caller
                );
                return created.Try(out made, out var full) ? context.Of("/keys", made.Row.Id) : full;
            }
        );
        return made is null ? result : await OnceAsync(context, made.Row.Id, made.Key.Text, $"The key {made.Row.Name}");
    }

    private async Task<IResult> Change(PageContext context, ConsoleForm form)
    {
        if (!(await KeyForm.FindLiveAsync(store, context)).Try(out var key, out var none))
            return none;
        if (key.Kind == "root")
            return new Refusal(
                409,
                "The root key has all rights of its project: it is rotated, not narrowed.",
                "root_key"
            );
        if (!KeyForm.ReadScopes(form["scopes"]).Try(out var scopes, out var malformed))
            return malformed;
        if (!KeyForm.ReadEnd(context, form["ends"]).Try(out var ends, out var late))
            return late;
        var name = form["name"].Trim();
        if (name.Length is 0 or > MaxName)
            return KeyForm.Bad($"name must have 1 to {MaxName} characters");
        var change = ChangeOf(key, name, scopes, ends);
        var caller = context.Caller;
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                await admin.UpdateAsync(key, change, caller.Authority.LoggedActor, caller) switch
                {
                    KeyOutcome.Refused refused => refused.Why,
                    KeyOutcome.Updated => context.Of("/keys", key.Id),
                    _ => PageRefusals.NotFound,
                }
        );
    }

    /// <summary>A field that still has its shown value is no change, so another person's change stays.</summary>
    private static KeyChange ChangeOf(KeyRow key, string name, string[] scopes, KeyEnd ends) =>
        new(
            name == key.Name ? null : name,
            scopes.SequenceEqual(key.Scopes, StringComparer.Ordinal) ? null : scopes,
            ends.At == key.ExpiresAt ? null : ends.At,
            ends.At is null && key.ExpiresAt is not null
        );

    private async Task<IResult> AskToRotate(PageContext context) =>
        (await KeyForm.FindLiveAsync(store, context)).Try(out var key, out var none)
            ? await writer.PageAsync<RotatePage, KeyRow>(context, key)
            : none;

    private async Task<IResult> Rotate(PageContext context, ConsoleForm form)
    {
        if (!(await KeyForm.FindLiveAsync(store, context)).Try(out var key, out var none))
            return none;
        if (
            !long.TryParse(form["overlap"], NumberStyles.None, CultureInfo.InvariantCulture, out var overlap)
            || overlap > MostOverlap
        )
            return KeyForm.Bad($"overlap must be a whole number of seconds from 0 to {MostOverlap}");
        var caller = context.Caller;
        string? text = null;
        var result = await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                switch (
                    await admin.RotateAsync(key, TimeSpan.FromSeconds(overlap), caller.Authority.LoggedActor, caller)
                )
                {
                    case KeyOutcome.Rotated done:
                        text = done.Key.Text;
                        return context.Of("/keys", key.Id);
                    case KeyOutcome.Refused refused:
                        return refused.Why;
                    default:
                        return PageRefusals.NotFound;
                }
            }
        );
        return text is null ? result : await OnceAsync(context, key.Id, text, $"The new secret of {key.Name}");
    }

    private async Task<IResult> AskToRevoke(PageContext context)
    {
        if (!(await KeyForm.FindLiveAsync(store, context)).Try(out var key, out var none))
            return none;
        if (key.Kind == "root")
            return Root;
        var path = context.Of("/keys", key.Id);
        return await writer.PageAsync<ConfirmPage, ConfirmModel>(
            context,
            new ConfirmModel
            {
                Title = "Revoke a key",
                Text =
                    $"{key.Id} is called “{key.Name}”. Its open streams, the tokens that it minted and its sessions of "
                    + "this console end with it, within a second on every node. This cannot be undone.",
                Action = path + "/revoke",
                Button = "Revoke it now",
                Back = path,
                Section = "keys",
                Curl = Curl.Send("DELETE", "/api/v1/keys/" + key.Id),
            }
        );
    }

    private async Task<IResult> Revoke(PageContext context, ConsoleForm form)
    {
        if (!(await KeyForm.FindLiveAsync(store, context)).Try(out var key, out var none))
            return none;
        if (key.Kind == "root")
            return Root;
        var caller = context.Caller;
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                await admin.RevokeAsync(key, caller.Authority.LoggedActor, caller)
                    ? context.Of("/keys", key.Id)
                    : PageRefusals.NotFound
        );
    }

    private Task<IResult> OnceAsync(PageContext context, string id, string text, string what) =>
        writer.PageAsync<ShownOncePage, ShownOnceModel>(
            context,
            new ShownOnceModel(what, text, context.Of("/keys", id), "To the key's page")
        );

    private static Refusal Root =>
        new(409, "The root key cannot be revoked: rotate it, with no overlap to end the old one at once.", "root_key");
}
