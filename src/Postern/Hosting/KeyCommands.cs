using System.CommandLine;
using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// The commands for keys and tokens.
/// </summary>
internal static class KeyCommands
{
    private static readonly TimeSpan LongestOverlap = TimeSpan.FromDays(30);

    public static Command Keys()
    {
        var name = new Argument<string>("name") { Description = "What the key is for" };
        var id = new Argument<string>("id") { Description = "key_…" };
        var kind = new Option<string>("--kind")
        {
            Description = "live, or pat for a person's",
            DefaultValueFactory = _ => "live",
        };
        var scopes = new Option<string?>("--scopes")
        {
            Description = "Comma-separated; none: all rights",
            HelpName = "SCOPES",
        };
        var expires = new Option<string?>("--for")
        {
            Description = "How long it is valid, such as 90d",
            HelpName = "SPAN",
        };
        var overlap = new Option<string>("--overlap")
        {
            Description = "How long the old key stays valid",
            HelpName = "SPAN",
            DefaultValueFactory = _ => "24h",
        };

        var create = new Command(
            "create",
            "Create a key and print it, this once.\n\nExample: postern keys create ci --scopes read:sessions,"
                + "write:sessions --for 90d"
        )
        {
            name,
            kind,
            scopes,
            expires,
            Commands.Project,
        };
        create.SetAction(
            (parsed, cancel) =>
                Toolbox.WithAsync(
                    Commands.Serving(parsed),
                    cancel,
                    async tools =>
                    {
                        var called = Commands.Name(parsed.GetValue(name)!);
                        var list = Commands.Split(parsed.GetValue(scopes));
                        if (ScopeSet.FirstMalformed(list) is { } malformed)
                            throw new SetupException($"{malformed} is no scope: action:type[:id]");
                        if (parsed.GetValue(kind) is not ("live" or "pat"))
                            throw new SetupException("--kind must be live or pat");
                        var until = parsed.GetValue(expires) is { } text
                            ? tools.Now + Commands.Life(text, "--for")
                            : (long?)null;
                        var created = await tools.Keys.CreateAsync(
                            await tools.ProjectAsync(parsed.GetValue(Commands.Project)!),
                            called,
                            parsed.GetValue(kind)!,
                            list,
                            until,
                            "command line"
                        );
                        if (!created.Try(out var made, out var full))
                            throw new SetupException(full.Message);
                        Terminal.WriteLine($"{made.Row.Id}\n{made.Key.Text}");
                    }
                )
        );

        var listing = new Command("list", "List the keys.\n\nExample: postern keys list") { Commands.Project };
        listing.SetAction(
            (parsed, cancel) =>
                Toolbox.WithAsync(
                    Commands.Serving(parsed),
                    cancel,
                    async tools =>
                    {
                        foreach (
                            var key in await tools.KeyRows.ListAsync(
                                await tools.ProjectAsync(parsed.GetValue(Commands.Project)!),
                                long.MaxValue,
                                "",
                                1000
                            )
                        )
                            Terminal.WriteLine($"{LineOf(key)}");
                    }
                )
        );

        var rotate = new Command(
            "rotate",
            "Give a key a new secret and print it; the old one stays valid for the overlap.\n\nExample: postern "
                + "keys rotate key_01j… --overlap 1h"
        )
        {
            id,
            overlap,
            Commands.Project,
        };
        rotate.SetAction(
            (parsed, cancel) =>
                Toolbox.WithAsync(
                    Commands.Serving(parsed),
                    cancel,
                    async tools =>
                    {
                        var row = await tools.KeyAsync(
                            await tools.ProjectAsync(parsed.GetValue(Commands.Project)!),
                            parsed.GetValue(id)!
                        );
                        var both = TimeSpan.FromMicroseconds(Commands.Span(parsed.GetValue(overlap)!, "--overlap"));
                        if (both > LongestOverlap)
                            throw new SetupException("--overlap cannot exceed 30d");
                        var done = await tools.Keys.RotateAsync(row, both, "command line");
                        if (done is not KeyOutcome.Rotated rotated)
                            throw new SetupException("There is no key " + row.Id);
                        Terminal.WriteLine($"{rotated.Key.Text}");
                    }
                )
        );

        var revoke = new Command("revoke", "End a key at once.\n\nExample: postern keys revoke key_01j…")
        {
            id,
            Commands.Project,
        };
        revoke.SetAction(
            (parsed, cancel) =>
                Toolbox.WithAsync(
                    Commands.Serving(parsed),
                    cancel,
                    async tools =>
                    {
                        var row = await tools.KeyAsync(
                            await tools.ProjectAsync(parsed.GetValue(Commands.Project)!),
                            parsed.GetValue(id)!
                        );
                        if (row.Kind == "root")
                            throw new SetupException(
                                "A root key is not revoked but rotated: postern keys rotate " + row.Id + " --overlap 0s"
                            );
                        await tools.Keys.RevokeAsync(row, "command line");
                        Terminal.WriteLine($"revoked {row.Id}");
                    }
                )
        );

        var generate = new Command(
            "generate",
            "Print a fresh root key for POSTERN_ROOT_KEY; nothing is stored.\n\nExample: POSTERN_ROOT_KEY=$(postern "
                + "keys generate) postern serve"
        );
        generate.SetAction(_ =>
            Terminal.WriteLine(
                $"{ApiKey.Generate("root", Id.New("key", SqliteDatabase.Microseconds(TimeProvider.System))).Text}"
            )
        );

        return new Command("keys", "Create, list, rotate and revoke keys.\n\nExample: postern keys list")
        {
            create,
            listing,
            rotate,
            revoke,
            generate,
        };
    }

    public static Command MintToken()
    {
        var scopes = new Option<string>("--scopes")
        {
            Description = "Comma-separated",
            HelpName = "SCOPES",
            Required = true,
        };
        var span = new Option<string>("--for")
        {
            Description = "How long it is valid, at most 30d",
            HelpName = "SPAN",
            DefaultValueFactory = _ => "1h",
        };
        var mint = new Command(
            "mint",
            "Mint a token and print it.\n\nExample: postern token mint --scopes read:sessions:hello --for 1h"
        )
        {
            scopes,
            span,
            Commands.Project,
        };
        mint.SetAction(
            (parsed, cancel) =>
                Toolbox.WithAsync(
                    Commands.Serving(parsed),
                    cancel,
                    async tools =>
                    {
                        var list = Commands.Split(parsed.GetValue(scopes));
                        if (list.Count == 0 || ScopeSet.FirstMalformed(list) is not null)
                            throw new SetupException(
                                $"--scopes must be a list of action:type[:id], such as read:sessions:hello"
                            );
                        var micros = Commands.Life(parsed.GetValue(span)!, "--for");
                        if (micros > Wire.Microseconds(Tokens.MaxLife))
                            throw new SetupException("--for cannot exceed 30d");
                        if (ScopeSet.Parse(list).Listed.Any(s => s.DecidesApprovals))
                            throw new SetupException(
                                "A token that decides approvals is minted by a key that may: postern keys create "
                                    + "NAME --scopes write:approvals"
                            );
                        var project = await tools.ProjectAsync(parsed.GetValue(Commands.Project)!);
                        Terminal.WriteLine($"{await tools.MintAsync(project, list, tools.Now + micros)}");
                    }
                )
        );
        return new Command("token", "Mint tokens.\n\nExample: postern token mint --scopes read:sessions --for 1h")
        {
            mint,
        };
    }

    private static string LineOf(KeyRow key)
    {
        var used = key.LastUsedAt is { } last ? "used " + Wire.Iso(last) : "never used";
        var until = key.ExpiresAt is { } at ? "until " + Wire.Iso(at) : "no expiry";
        var scopes = key.Scopes.Count == 0 ? "(all rights)" : string.Join(' ', key.Scopes);
        return $"{key.Id}  {key.Kind, -4}  {Wire.Iso(key.CreatedAt)}  {used, -29}  {until, -30}  {key.Name}  {scopes}";
    }
}
