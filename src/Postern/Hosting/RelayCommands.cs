using System.CommandLine;
using System.Globalization;
using Postern.Access;
using Postern.Http;
using Postern.Relay.Server;

namespace Postern.Hosting;

/// <summary>The commands of a relay: serve it, and manage its planes.</summary>
internal static class RelayCommands
{
    private const string StandardUrls = "http://127.0.0.1:7401";
    private const string StandardData = "relay";

    private static readonly Argument<string> Plane = new("plane") { Description = "pln_…" };
    private static readonly Option<string?> Urls = new("--urls")
    {
        Description = $"Where the relay listens (default: {StandardUrls})",
        HelpName = "URL",
        Recursive = true,
    };
    private static readonly Option<string?> Envelopes = new("--envelopes")
    {
        Description = "How many requests the plane may have stored (default: Postern:RelayServer:Envelopes)",
        HelpName = "N",
    };
    private static readonly Option<string?> Bytes = new("--bytes")
    {
        Description = "How many bytes of them (default: Postern:RelayServer:Bytes)",
        HelpName = "N",
    };

    public static Command Relay() =>
        new(
            "relay",
            "The public side of servers that nobody can reach: docs/relay.md.\n\nExample: postern relay serve --data "
                + "./relay --urls http://127.0.0.1:7401"
        )
        {
            Urls,
            Serve(),
            Enrol(),
            Planes(),
            Quota(),
            Revoke(),
            RotateKey(),
            PageForPeople(),
        };

    private static Command Serve()
    {
        var dev = new Option<bool>("--dev") { Description = "For one's own machine: logs in words" };
        var command = new Command(
            "serve",
            "Serve the relay.\n\nExample: postern relay serve --data ./relay --urls http://0.0.0.0:7401"
        )
        {
            dev,
        };
        command.SetAction(
            (parsed, cancel) => RelayServeCommand.RunAsync(Serving(parsed, parsed.GetValue(dev)), cancel)
        );
        return command;
    }

    private static Command Enrol()
    {
        var name = new Argument<string>("name") { Description = "What the plane is called at this relay" };
        var span = new Option<string>("--for")
        {
            Description = "How long the code is valid, at most 24h",
            HelpName = "SPAN",
            DefaultValueFactory = _ => "15m",
        };
        var plane = new Option<string?>("--plane")
        {
            Description = "The plane that has lost its keys, and keeps its URL",
            HelpName = "pln_…",
        };
        var command = new Command(
            "enrol",
            "Print a code by which one plane joins, once.\n\nExample: postern relay enrol office --for 15m"
        )
        {
            name,
            span,
            plane,
            Envelopes,
            Bytes,
        };
        return Does(
            command,
            async (tools, parsed) =>
            {
                var valid = TimeSpan.FromMicroseconds(Commands.Span(parsed.GetValue(span)!, "--for"));
                if (valid > NewCode.Longest || valid <= TimeSpan.Zero)
                    throw new SetupException("--for must be at most 24h");
                if (parsed.GetValue(name)! is not { Length: > 0 and <= NewCode.LongestName } called)
                    throw new SetupException("The name must have 1 to 100 characters");
                var made = await tools.Enrolments.MakeAsync(
                    new NewCode(
                        called,
                        valid,
                        Number(parsed, Envelopes, 100, NewCode.MostEnvelopes),
                        Number(parsed, Bytes, NewCode.LeastBytes, NewCode.MostBytes),
                        parsed.GetValue(plane)
                    ),
                    await tools.RowAsync("")
                );
                if (!made.Try(out var code, out var refusal))
                    throw new SetupException(refusal.Message);
                Terminal.WriteLine($"{code}");
            }
        );
    }

    private static Command Planes()
    {
        var command = new Command("planes", "List the planes.\n\nExample: postern relay planes");
        return Does(
            command,
            async (tools, parsed) =>
            {
                foreach (var plane in await tools.Planes.ListAsync(null, 1000))
                {
                    var state =
                        plane.RevokedAt is { } at ? $"revoked {Wire.Iso(at)}"
                        : plane.IsHeld(tools.Planes.Now) ? "connected"
                        : plane.SeenAt is { } seen ? $"away, last seen {Wire.Iso(seen)}"
                        : "never connected";
                    var stored = $"{plane.OpenCount} of {plane.Envelopes} stored";
                    Terminal.WriteLine($"{plane.Plane}  {state}  {stored}  {plane.Name}");
                    foreach (var one in await tools.Connections.ListAsync(plane.Plane))
                    {
                        var holds = one.Connection == plane.Holder ? ", answers" : "";
                        Terminal.WriteLine($"  {one.Transport} from {one.Address} since {Wire.Iso(one.Since)}{holds}");
                    }
                }
            }
        );
    }

    private static Command Quota()
    {
        var command = new Command(
            "quota",
            "Change what a plane may have stored.\n\nExample: postern relay quota pln_… --envelopes 50000"
        )
        {
            Plane,
            Envelopes,
            Bytes,
        };
        return Does(
            command,
            async (tools, parsed) =>
            {
                var plane = parsed.GetValue(Plane)!;
                var done = await tools.Ends.SetQuotaAsync(
                    plane,
                    Number(parsed, Envelopes, 100, NewCode.MostEnvelopes),
                    Number(parsed, Bytes, NewCode.LeastBytes, NewCode.MostBytes),
                    await tools.RowAsync("relay.quota", plane)
                );
                if (!done)
                    throw Missing(plane);
                Terminal.WriteLine($"{plane} has its new bounds");
            }
        );
    }

    private static Command Revoke()
    {
        var keep = new Option<bool>("--keep") { Description = "What waits for it is kept until it expires" };
        var command = new Command(
            "revoke",
            "End a plane's access at once, and delete what waits for it.\n\nExample: postern relay revoke pln_…"
        )
        {
            Plane,
            keep,
        };
        return Does(
            command,
            async (tools, parsed) =>
            {
                var plane = parsed.GetValue(Plane)!;
                var row = await tools.RowAsync("relay.plane.revoked", plane);
                if (!await tools.Ends.RevokeAsync(plane, parsed.GetValue(keep), row))
                    throw Missing(plane);
                Terminal.WriteLine($"{plane} is revoked: its URLs are unknown from now on");
            }
        );
    }

    private static Command RotateKey()
    {
        var now = new Option<bool>("--now")
        {
            Description = "Sign with the new key at once: planes that do not know it yet must join again",
        };
        var command = new Command(
            "rotate-key",
            "Make the relay's next key: it is announced for 7 days, and then signs.\n\nExample: postern relay "
                + "rotate-key"
        )
        {
            now,
        };
        return Does(
            command,
            async (tools, parsed) =>
            {
                var isNow = parsed.GetValue(now);
                var project = await tools.Projects.DefaultAsync() ?? Audit.NoProject;
                var key = await tools.Identity.RotateAsync(isNow, "command line", project);
                Terminal.WriteLine($"{key.Fingerprint} signs {(isNow ? "now" : "in 7 days")}");
            }
        );
    }

    /// <summary>Opens the relay's database for a command, and closes it afterwards.</summary>
    private static Command Does(Command command, Func<RelayToolbox, ParseResult, Task> act)
    {
        command.SetAction(
            (parsed, cancel) => RelayToolbox.WithAsync(Serving(parsed), cancel, tools => act(tools, parsed))
        );
        return command;
    }

    private static Command PageForPeople()
    {
        var folder = new Argument<string>("dir") { Description = "Where the files are written" };
        var at = new Option<string?>("--at")
        {
            Description = "The relay that the page connects to (default: Postern:PublicUrl)",
            HelpName = "URL",
        };
        var command = new Command(
            "page",
            "Write the page on which people answer, for an origin of your own.\n\nExample: postern relay page ./page "
                + "--at https://relay.example.com"
        )
        {
            folder,
            at,
        };
        command.SetAction(parsed =>
            ApproveFiles.Write(
                parsed.GetValue(folder)!,
                parsed.GetValue(at) ?? Serving(parsed).ReadSettings().PublicUrl
            )
        );
        return command;
    }

    private static SetupException Missing(string plane) => new($"There is no plane {plane}. See: postern relay planes");

    private static long? Number(ParseResult parsed, Option<string?> option, long min, long max)
    {
        if (parsed.GetValue(option) is not { } text)
            return null;
        return
            long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= min
            && number <= max
            ? number
            : throw new SetupException($"{option.Name} must be a whole number from {min} to {max}");
    }

    /// <summary>Returns the folder of a relay. Unless it is named, it is never the folder of a server.</summary>
    private static ServeOptions Serving(ParseResult parsed, bool dev = false) =>
        ServeOptions.From(
            parsed.GetValue(Commands.Data) ?? Environment.GetEnvironmentVariable("POSTERN_DATA") ?? StandardData,
            parsed.GetValue(Urls) ?? Environment.GetEnvironmentVariable("POSTERN_URLS") ?? StandardUrls,
            parsed.GetValue(Commands.Database),
            dev
        );
}
