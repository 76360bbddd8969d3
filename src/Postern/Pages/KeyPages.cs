using System.Globalization;
using Postern.Access;
using Postern.Http;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// The keys of a project: the list, one key with what it did, making, rotating, changing and revoking one. A key's text
/// is in one answer, and nowhere after it.
/// </summary>
internal sealed class KeyPages(
    PageWriter writer,
    FormWrites writes,
    KeyAdmin admin,
    KeyStore store,
    CallbackSecrets secrets,
    ApprovalServices services,
    ConsoleSessions sessions,
    AuditStore audit,
    RunEvents events,
    AccessWatch watch,
    Database database
) : IPages
{
    public static readonly string[] Tabs = ["keys", "secrets", "services", "sessions", "tokens"];
    private const int KeySegment = 2;
    private const int MaxName = 128;
    private const int MaxScopes = 100;
    private const int MostShown = 20;
    private const int MostSessions = 100;
    private const long MostOverlap = 30 * 86_400;

    /// <summary>Within this every node has ended what a revocation ends.</summary>
    private static readonly TimeSpan Everywhere = TimeSpan.FromSeconds(1);

    public void Map(PageDoors pages)
    {
        pages.Page("/keys", Authorization.Admin, List).WithSummary("Keys, secrets, services, sessions");
        pages
            .Form("/keys", Authorization.Admin, ["name", "kind", "scopes", "ends"], Create)
            .WithSummary("Make a key")
            .Produces<string>(200, "text/html");
        pages.Page("/keys/{key}", Authorization.Admin, Show).WithSummary("One key");
        pages.Form("/keys/{key}", Authorization.Admin, ["name", "scopes", "ends"], Change).WithSummary("Change a key");
        pages.Page("/keys/{key}/rotate", Authorization.Admin, AskToRotate).WithSummary("Whether to rotate a key");
        pages
            .Form("/keys/{key}/rotate", Authorization.Admin, ["overlap"], Rotate)
            .WithSummary("Give a key a new secret")
            .Produces<string>(200, "text/html");
        pages.Page("/keys/{key}/revoke", Authorization.Admin, AskToRevoke).WithSummary("Whether to revoke a key");
        pages.Form("/keys/{key}/revoke", Authorization.Admin, [], Revoke).WithSummary("Revoke a key");
    }

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http, "tab").Try(out var filters, out var wrong))
            return wrong;
        var tab = filters["tab"] is { Length: > 0 } asked ? asked : Tabs[0];
        if (!Tabs.Contains(tab, StringComparer.Ordinal))
            return PageFilters.Bad($"tab is none of {string.Join(", ", Tabs)}");
        await watch.WriteUseAsync();
        var rows =
            tab == "keys"
                ? await store.ListAsync(
                    context.Project,
                    filters.After?.At ?? long.MaxValue,
                    filters.After?.Id ?? "",
                    filters.Size + 1
                )
                : [];
        return await writer.PageAsync<KeysPage, KeysModel>(
            context,
            new KeysModel
            {
                Tab = tab,
                Keys = [.. rows.Take(filters.Size)],
                Next =
                    rows.Count > filters.Size
                        ? new Cursor(rows[filters.Size - 1].CreatedAt, rows[filters.Size - 1].Id).ToString()
                        : null,
                Secrets = tab == "secrets" ? await secrets.ListAsync(context.Project) : [],
                Services = tab == "services" ? services.Of(context.Project) : [],
                Sessions = tab == "sessions" ? await sessions.ListAsync(context.Project, null) : [],
            }
        );
    }

    private async Task<IResult> Show(PageContext context)
    {
        await watch.WriteUseAsync();
        if (await FindAsync(context) is not { } key)
            return PageRefusals.NotFound;
        await EndedEverywhereAsync(context, key);
        var filter = new AuditFilter { Actor = key.Id };
        var cancel = context.Http.RequestAborted;
        var ended = key.RevokedAt is { } at
            ? await audit.ListAsync(
                key.Project,
                filter with
                {
                    Action = Audit.StreamEnded,
                    From = at - 1,
                },
                null,
                MostShown,
                cancel
            )
            : null;
        return await writer.PageAsync<KeyPage, KeyModel>(
            context,
            new KeyModel
            {
                Key = key,
                Addresses = await store.AddressesAsync(key.Project, key.Id),
                Sessions = await sessions.OfCredentialAsync(key.Project, key.Id, MostSessions),
                Did = (await audit.ListAsync(key.Project, filter, null, MostShown, cancel)).Rows,
                Decided = (
                    await audit.ListAsync(
                        key.Project,
                        filter with
                        {
                            Action = "approval.decided",
                        },
                        null,
                        MostShown,
                        cancel
                    )
                ).Rows,
                Minted = (
                    await audit.ListAsync(key.Project, filter with { Action = "token.minted" }, null, MostShown, cancel)
                ).Rows,
                Ended = ended?.Rows ?? [],
                Runs = await events.StartedByAsync(key.Project, key.Id, MostShown),
            }
        );
    }

    /// <summary>
    /// Who looks at a key that was revoked a moment ago is shown what has ended on every node: it takes them a second.
    /// </summary>
    private async Task EndedEverywhereAsync(PageContext context, KeyRow key)
    {
        if (key.RevokedAt is not { } at || database.IsEmbedded)
            return;
        var left = Everywhere - TimeSpan.FromMicroseconds(context.Now - at);
        if (left <= TimeSpan.Zero || left > Everywhere)
            return;
        await Task.Delay(left, TimeProvider.System, context.Http.RequestAborted);
        // Whoever looks may have lost his own right meanwhile.
        context.Caller.EnsureStillAllowed();
    }

    private async Task<IResult> Create(PageContext context, ConsoleForm form)
    {
        if (!ReadScopes(form["scopes"]).Try(out var scopes, out var malformed))
            return malformed;
        if (!ReadEnd(context, form["ends"]).Try(out var ends, out var late))
            return late;
        var (name, kind) = (form["name"].Trim(), form.Text("kind") ?? "live");
        if (name.Length is 0 or > MaxName)
            return Bad($"name must have 1 to {MaxName} characters");
        if (kind is not ("live" or "pat"))
            return Bad("kind must be live or pat");
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
        if (await FindLiveAsync(context) is not { } key)
            return PageRefusals.NotFound;
        if (key.Kind == "root")
            return new Refusal(
                409,
                "The root key has all rights of its project: it is rotated, not narrowed.",
                "root_key"
            );
        if (!ReadScopes(form["scopes"]).Try(out var scopes, out var malformed))
            return malformed;
        if (!ReadEnd(context, form["ends"]).Try(out var ends, out var late))
            return late;
        var name = form["name"].Trim();
        if (name.Length is 0 or > MaxName)
            return Bad($"name must have 1 to {MaxName} characters");
        // What stands in the form as it was is no change: another's change meanwhile stays.
        var change = new KeyChange(
            name == key.Name ? null : name,
            scopes.SequenceEqual(key.Scopes, StringComparer.Ordinal) ? null : scopes,
            ends.At == key.ExpiresAt ? null : ends.At,
            ends.At is null && key.ExpiresAt is not null
        );
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

    private async Task<IResult> AskToRotate(PageContext context) =>
        await FindLiveAsync(context) is { } key
            ? await writer.PageAsync<RotatePage, KeyRow>(context, key)
            : PageRefusals.NotFound;

    private async Task<IResult> Rotate(PageContext context, ConsoleForm form)
    {
        if (await FindLiveAsync(context) is not { } key)
            return PageRefusals.NotFound;
        if (
            !long.TryParse(form["overlap"], NumberStyles.None, CultureInfo.InvariantCulture, out var overlap)
            || overlap > MostOverlap
        )
            return Bad($"overlap must be a whole number of seconds from 0 to {MostOverlap}");
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
        if (await FindLiveAsync(context) is not { } key)
            return PageRefusals.NotFound;
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
                    + "this console end with it, within a second on every node. That cannot be undone.",
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
        if (await FindLiveAsync(context) is not { } key)
            return PageRefusals.NotFound;
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

    /// <summary>The key of the path, also when it has ended; another project's looks like none.</summary>
    private async ValueTask<KeyRow?> FindAsync(PageContext context) =>
        RequestPath.Segment(context.Http, KeySegment) is { } id
        && await store.FindAsync(id) is { } row
        && row.Project == context.Project
            ? row
            : null;

    private async ValueTask<KeyRow?> FindLiveAsync(PageContext context) =>
        await FindAsync(context) is { RevokedAt: null } row ? row : null;

    /// <summary>Scopes as a person writes them: between blanks, commas or line ends.</summary>
    public static Checked<string[]> ReadScopes(string text)
    {
        string[] scopes = text.Split([' ', ',', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (scopes.Length > MaxScopes)
            return Bad($"scopes has more than {MaxScopes}");
        return ScopeSet.FirstMalformed(scopes) is { } malformed
            ? Bad($"scopes holds {Wire.Cut(malformed, 100)}, which is not action:type[:id]")
            : scopes;
    }

    /// <summary>An instant, or a span from now; empty: never.</summary>
    public static Checked<KeyEnd> ReadEnd(PageContext context, string text)
    {
        text = text.Trim();
        if (text.Length == 0)
            return new KeyEnd(null);
        long? end =
            Wire.TryParseInstant(text, out var instant) ? instant
            : Wire.TryParseSpan(text, out var span) ? context.Now + Wire.Microseconds(span)
            : null;
        return end is null ? Bad("ends must be a span such as 30d, or an instant in ISO 8601")
            : end <= context.Now ? Bad("ends must be in the future")
            : new KeyEnd(end);
    }

    private static Refusal Bad(string message) => Refusal.BadRequest(message + ".", "invalid_form");
}
