using System.CommandLine;
using System.CommandLine.Parsing;
using Postern.Access;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// The command line. The commands besides <c>serve</c> work on the same database, whether or not a server runs. Their
/// changes take effect on every node within a second.
/// </summary>
internal static class Commands
{
    private const int MostOfName = 128;

    public static readonly Option<string?> Data = new("--data")
    {
        Description = "Folder of the server's files (default: data)",
        HelpName = "DIR",
        Recursive = true,
    };
    public static readonly Option<string?> Database = new("--database")
    {
        Description =
            "PostgreSQL instead of the embedded database, such as \"Host=db;Database=postern;Username=postern\"",
        HelpName = "CONNECTION",
        Recursive = true,
    };
    public static readonly Option<string> Project = new("--project")
    {
        Description = "Name or id of the project",
        HelpName = "NAME",
        DefaultValueFactory = _ => Projects.Default,
    };

    public static RootCommand Root()
    {
        var root = new RootCommand(
            "Postern: the front door of an agent platform.\n\nExample: postern serve --data ./data --urls http:/"
                + "/127.0.0.1:7400"
        )
        {
            Data,
            Database,
        };
        root.Add(Serve());
        root.Add(PrintDoors());
        root.Add(KeyCommands.Keys());
        root.Add(ProjectCommands());
        root.Add(KeyCommands.MintToken());
        root.Add(OpenConsole());
        root.Add(PlaneCommands.Plane());
        root.Add(ApproveCommand.Approve());
        root.Add(Doctor());
        root.Add(Backup());
        root.Add(Restore());
        root.Add(PrintSettings());
        root.Add(RelayCommands.Relay());
        return root;
    }

    /// <summary>
    /// Reads a command line. An option with an empty value is refused: a variable of a script that was not set would
    /// otherwise mean all scopes, another database or no relay.
    /// </summary>
    /// <exception cref="SetupException">An option has an empty value.</exception>
    public static ParseResult Parse(IReadOnlyList<string> arguments)
    {
        var parsed = Root().Parse(arguments);
        for (var i = 1; i < parsed.Tokens.Count; i++)
        {
            var (option, value) = (parsed.Tokens[i - 1], parsed.Tokens[i]);
            if (option.Type == TokenType.Option && value.Type == TokenType.Argument && IsEmpty(value.Value))
                throw new SetupException($"{option.Value} is empty: give it a value, or leave it out.");
        }
        return parsed;
    }

    /// <summary>Returns whether a value is nothing but white space and commas.</summary>
    private static bool IsEmpty(string value) => value.All(c => c == ',' || char.IsWhiteSpace(c));

    private static Command Serve()
    {
        var urls = new Option<string?>("--urls")
        {
            Description = $"Where to listen (default: {ServeOptions.StandardUrls}); none: behind a relay alone",
            HelpName = "URL",
        };
        var relay = new Option<string?>("--relay")
        {
            Description = "Join a relay by this code before serving; of one that was joined, its URL",
            HelpName = "CODE",
        };
        var dev = new Option<bool>("--dev") { Description = "For one's own machine: agents may be on loopback" };
        var command = new Command(
            "serve",
            "Serve.\n\nExample: postern serve --data /var/lib/postern --urls http://0.0.0.0:7400"
        )
        {
            urls,
            relay,
            dev,
        };
        command.SetAction(
            (parsed, cancel) =>
                ServeCommand.RunAsync(
                    ServeOptions.From(
                        parsed.GetValue(Data),
                        parsed.GetValue(urls),
                        parsed.GetValue(Database),
                        parsed.GetValue(dev),
                        parsed.GetValue(relay)
                    ),
                    cancel
                )
        );
        return command;
    }

    private static Command PrintDoors()
    {
        var relay = new Option<bool>("--relay") { Description = "Those of a relay" };
        var command = new Command(
            "doors",
            "Print every route with the credential that opens it.\n\nExample: postern doors"
        )
        {
            relay,
        };
        command.SetAction(
            async (parsed, cancel) =>
            {
                await using var scratch = await Scratch.CreateAsync(cancel, parsed.GetValue(relay));
                Terminal.WriteDocument(scratch.App.Services.GetRequiredService<DoorTable>().Doors.Print());
            }
        );
        return command;
    }

    private static Command ProjectCommands()
    {
        var name = new Argument<string>("name") { Description = "The new project's name" };
        var create = new Command(
            "create",
            "Create a project and print its root key, this once.\n\nExample: postern projects create staging"
        )
        {
            name,
        };
        create.SetAction(
            (parsed, cancel) =>
                Toolbox.WithAsync(
                    Serving(parsed),
                    cancel,
                    async tools =>
                    {
                        var called = Name(parsed.GetValue(name)!);
                        var made =
                            await tools.Projects.CreateAsync(called, "command line")
                            ?? throw new SetupException($"There is a project {called} already.");
                        Terminal.WriteLine($"{made.Project.Id}\n{made.RootKey.Text}");
                    }
                )
        );
        var list = new Command("list", "List the projects.\n\nExample: postern projects list");
        list.SetAction(
            (parsed, cancel) =>
                Toolbox.WithAsync(
                    Serving(parsed),
                    cancel,
                    async tools =>
                    {
                        foreach (var project in await tools.Projects.ListAsync(long.MaxValue, "", 1000))
                            Terminal.WriteLine($"{project.Id}  {Wire.Iso(project.CreatedAt)}  {project.Name}");
                    }
                )
        );
        return new Command("projects", "Create and list projects.\n\nExample: postern projects list") { create, list };
    }

    private static Command OpenConsole()
    {
        var key = new Option<string?>("--key")
        {
            Description = "The id of the key whose rights the session has (default: the project's root key)",
            HelpName = "key_…",
        };
        var urls = new Option<string?>("--urls") { Description = "Where the server listens", HelpName = "URL" };
        var command = new Command(
            "console",
            "Print a link that opens the console, once and within 60 seconds.\n\nExample: postern console --data ./data"
        )
        {
            key,
            urls,
            Project,
        };
        command.SetAction(
            (parsed, cancel) =>
                ConsoleCommand.RunAsync(
                    ServeOptions.From(parsed.GetValue(Data), parsed.GetValue(urls), parsed.GetValue(Database), false),
                    parsed.GetValue(Project)!,
                    parsed.GetValue(key),
                    cancel
                )
        );
        return command;
    }

    private static Command Doctor()
    {
        var urls = new Option<string?>("--urls") { Description = "Where the server listens", HelpName = "URL" };
        var command = new Command(
            "doctor",
            "Check the database, permissions, clock, settings and port, and say what to do.\n\nExample: postern "
                + "doctor --data ./data"
        )
        {
            urls,
        };
        command.SetAction(
            (parsed, cancel) =>
                DoctorCommand.RunAsync(
                    ServeOptions.From(parsed.GetValue(Data), parsed.GetValue(urls), parsed.GetValue(Database), false),
                    cancel
                )
        );
        return command;
    }

    private static Command Backup()
    {
        var file = new Argument<string>("file") { Description = "The file to write; it must not exist" };
        var command = new Command(
            "backup",
            "Copy the embedded database while it is served.\n\nExample: postern backup /backups/postern-monday.db "
                + "--data ./data"
        )
        {
            file,
        };
        command.SetAction(parsed =>
        {
            var serve = Serving(parsed);
            if (serve.Database is not null)
                throw new SetupException("PostgreSQL is backed up with its own tools: pg_dump, or base backups.");
            if (!File.Exists(serve.Folder.Database))
                throw new SetupException($"There is no database in {serve.Folder.Path}.");
            SqliteBackup.Take(serve.Folder.Database, parsed.GetValue(file)!);
            Terminal.WriteLine(
                $"wrote {parsed.GetValue(file)}. Keep {serve.Folder.MasterKey} too, and apart from it: without it "
                    + $"the sealed secrets in the backup do not open."
            );
        });
        return command;
    }

    private static Command Restore()
    {
        var file = new Argument<string?>("file")
        {
            Description =
                "A file that postern backup wrote. None with --database: PostgreSQL is restored by its own tools, "
                + "and then told of it by this command",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var force = new Option<bool>("--force")
        {
            Description = "Replace a database that is there; it is kept beside it",
        };
        var command = new Command(
            "restore",
            "Put a backup in place, with the server stopped.\n\nExample: postern restore /backups/postern-monday.db "
                + "--data ./data --force"
        )
        {
            file,
            force,
        };
        command.SetAction(
            (parsed, cancel) =>
                RestoreCommand.RunAsync(parsed.GetValue(file), Serving(parsed), parsed.GetValue(force), cancel)
        );
        return command;
    }

    private static Command PrintSettings()
    {
        var command = new Command(
            "settings",
            "Print every setting as the table of docs/configuration.md.\n\nExample: postern settings"
        );
        command.SetAction(_ => Terminal.WriteDocument(SettingsReader.Markdown()));
        return command;
    }

    public static ServeOptions Serving(ParseResult parsed) =>
        ServeOptions.From(parsed.GetValue(Data), null, parsed.GetValue(Database), false);

    /// <summary>Reads a name that people see, with the bounds that the routes have.</summary>
    public static string Name(string text) =>
        text.Trim() is { Length: > 0 and <= MostOfName } name
            ? name
            : throw new SetupException($"The name must have 1 to {MostOfName} characters.");

    /// <summary>Reads how long something is valid, in microseconds.</summary>
    public static long Life(string text, string option) =>
        Span(text, option) is > 0 and var span
            ? span
            : throw new SetupException($"{option} must be longer than nothing, such as 15m, 1h or 90d");

    public static List<string> Split(string? list) =>
        [.. (list ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];

    public static long Span(string text, string option) =>
        Wire.TryParseSpan(text, out var span)
            ? Wire.Microseconds(span)
            : throw new SetupException($"{option} must be a span such as 15m, 1h or 90d");
}
