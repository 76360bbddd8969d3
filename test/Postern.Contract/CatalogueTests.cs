using System.CommandLine;
using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text.RegularExpressions;
using Postern.Deliveries;
using Postern.Hosting;
using Postern.Settings;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Each row of a catalogue does something: an event is raised, an error code is given, a setting is read, a metric is
/// written, a command and its options are documented, a route that a document names exists.
/// </summary>
public sealed partial class CatalogueTests
{
    private static readonly Assembly Product = typeof(Postern.Storage.Database).Assembly;
    private static readonly CodeUses Uses = new(Product);

    /// <summary>All that a reader may paste. The changelog also tells of what is gone.</summary>
    private static readonly (string Name, string Text)[] Documents =
    [
        .. Directory
            .GetFiles(Repository.File("docs"), "*.md")
            .Concat(new[] { "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md" }.Select(Repository.File))
            .Select(f => (Path.GetFileName(f), File.ReadAllText(f))),
    ];

    /// <summary>Names of the same form that are no metric.</summary>
    private static readonly string[] Files =
    [
        "postern.db",
        "postern.dll",
        "postern.env",
        "postern.json",
        "postern.lock",
        "postern.service",
    ];

    [Fact]
    public void Every_event_is_raised()
    {
        var rows = typeof(EventType)
            .GetFields(BindingFlags.Static | BindingFlags.Public)
            .Where(f => f.FieldType == typeof(EventType))
            .ToList();
        Assert.Equal(EventType.All.Count, rows.Count);
        var byPhase = rows.Where(r => !Uses.Of(r).Any()).Select(r => ((EventType)r.GetValue(null)!).Name);
        // These are looked up by the phase that a run has reached.
        string[] phases =
        [
            .. typeof(Postern.Runs.Phase)
                .GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
                .Where(f => f.IsLiteral)
                .Select(f => "run." + f.GetRawConstantValue()),
        ];
        Assert.NotEmpty(phases);
        Assert.Empty(byPhase.Except(phases, StringComparer.Ordinal));
        Assert.NotEmpty(Uses.Of(typeof(EventType).GetMethod(nameof(EventType.OfRun))!));
    }

    [Fact]
    public void Every_documented_error_code_is_given()
    {
        var sources = string.Concat(Sources());
        var codes = Documents
            .Single(d => d.Name == "errors.md")
            .Text.Split('\n')
            .Where(l => l.StartsWith("| `", StringComparison.Ordinal))
            .SelectMany(l => Code().Matches(l.Split('|')[1]).Select(m => m.Groups[1].Value))
            .ToList();
        Assert.True(codes.Count > 80, $"{codes.Count} codes were found");
        Assert.All(codes, c => Assert.Contains($"\"{c}\"", sources, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_setting_is_read()
    {
        var settings = Product
            .GetTypes()
            .Where(t => t.Namespace == typeof(PosternOptions).Namespace && t.Name.EndsWith("Options", Is))
            .SelectMany(t => t.GetProperties())
            .Where(p => p.SetMethod is not null)
            .ToList();
        Assert.True(settings.Count > 70, $"{settings.Count} settings were found");
        Assert.Empty(
            settings
                .Where(p => Uses.Of(p.GetMethod!).All(t => t.Namespace == typeof(PosternOptions).Namespace))
                .Select(p => $"{p.DeclaringType!.Name}.{p.Name}")
        );
    }

    /// <summary>Metrics, and spans of traces: each is written, and the documents name these and no others.</summary>
    [Fact]
    public void Every_metric_is_written_and_documented()
    {
        var holders = Product
            .GetTypes()
            .Where(t => t.GetFields(Anywhere).Any(f => typeof(Instrument).IsAssignableFrom(f.FieldType)))
            .ToList();
        Assert.True(holders.Count > 3, "the metrics were found");
        Assert.Empty(
            holders
                .SelectMany(t => t.GetMethods(Anywhere))
                .Where(m => m.IsAssembly || m.IsPublic)
                .Where(m => !Uses.Of(m).Any())
                .Select(m => $"{m.DeclaringType!.Name}.{m.Name}")
        );
        string[] made =
        [
            .. Sources()
                .SelectMany(s => NewMetric().Matches(s).Select(m => m.Groups[1].Value))
                .Distinct(StringComparer.Ordinal),
        ];
        Assert.True(made.Length > 10, $"{made.Length} metrics were found");
        string[] named =
        [
            .. Documents
                .SelectMany(d => Metric().Matches(d.Text).Select(m => m.Groups[1].Value))
                .Where(n => !Files.Contains(n)),
        ];
        Assert.Empty(made.Except(named, StringComparer.Ordinal));
        Assert.Empty(named.Except(made, StringComparer.Ordinal));
    }

    [Fact]
    public void Every_command_and_option_is_documented()
    {
        var all = string.Concat(Documents.Select(d => d.Text));
        var missing = new List<string>();
        foreach (var (path, command) in Every(Commands.Root(), "postern"))
        {
            if (command.Action is not null && !Regex.IsMatch(all, Regex.Escape(path) + @"\b"))
                missing.Add(path);
            missing.AddRange(
                command
                    .Options.Where(o => o.Name is not ("--help" or "--version"))
                    .Where(o => !Regex.IsMatch(all, @"(?<![\w-])" + Regex.Escape(o.Name) + @"(?![\w-])"))
                    .Select(o => $"{path} {o.Name}")
            );
        }
        Assert.Empty(missing);

        static IEnumerable<(string Path, Command Command)> Every(Command command, string path) =>
            command.Subcommands.SelectMany(sub => Every(sub, $"{path} {sub.Name}")).Prepend((path, command));
    }

    /// <summary>Each line of a document that begins with <c>postern</c> is one that the program takes.</summary>
    [Fact]
    public void The_program_takes_every_command_line_of_the_documents()
    {
        var seen = 0;
        foreach (var (name, text) in Documents)
        foreach (Match block in Block().Matches(text))
        foreach (Match line in CommandLine().Matches(block.Groups[1].Value.Replace("\\\n", "", Is)))
        {
            var words = System.CommandLine.Parsing.CommandLineParser.SplitCommandLine(
                line.Groups[1].Value.Replace('\'', '"')
            );
            var errors = Commands.Root().Parse([.. words]).Errors.Select(e => e.Message);
            Assert.True(!errors.Any(), $"{name}: {line.Value}: {string.Join(' ', errors)}");
            seen++;
        }
        Assert.True(seen > 15, $"{seen} command lines were found");
    }

    [Fact]
    public void Every_route_that_a_document_names_is_in_a_door_table()
    {
        var doors = new[] { "doors.txt", "doors-relay.txt" }
            .SelectMany(f => File.ReadLines(Repository.File(f)))
            .Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(l => l.Length > 2)
            .Select(l => (Method: l[0], Path: new Regex($"^{Hole().Replace(Regex.Escape(l[1]), "[^/]+")}$")))
            .ToList();
        Assert.True(doors.Count > 200, "the doors were found");
        var named = Documents
            .SelectMany(d =>
                Route()
                    .Matches(d.Text)
                    .SelectMany(m =>
                        m.Groups[1]
                            .Value.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries)
                            .Select(method => (Where: d.Name, Method: method, Path: m.Groups[2].Value))
                    )
                    .Concat(Asked().Matches(d.Text).Select(m => (Where: d.Name, Method: "", Path: m.Groups[1].Value)))
            )
            .ToList();
        Assert.True(named.Count > 100, $"{named.Count} routes were found");
        Assert.All(
            named,
            r =>
                Assert.True(
                    doors.Exists(d =>
                        (r.Method is "" || d.Method is "ANY" || d.Method == r.Method) && Leads(d.Path, r.Path)
                    ),
                    $"{r.Where} names {r.Method} {r.Path}, which is no door"
                )
        );

        // A variable of the shell stands for one part of the path, and a plane's prefix for nothing.
        static bool Leads(Regex door, string path) =>
            door.IsMatch(Plane().Replace(Variable().Replace(path.Split('?')[0], "x"), ""));
    }

    private static readonly string[] NotCalled =
    [
        // These write the documents, by make docs.
        "ReactionTable.Print",
        "EventType.Markdown",
        // These are found by their names.
        "RowExtensions.Text",
        "RowExtensions.Long",
        "RecordReader`1.ReadMember",
        "RecordReader`1.ReadList",
        "RecordReader`1.ReadMap",
        // These are the other side of a protocol, or let a test give what is otherwise random.
        "EnvelopeReceipt.TryRead",
        "EnvelopeSeal.Seal",
        "EnrolmentCode.NewSecret",
        "Hpke.Seal",
        // These let tests see what is inside.
        "TurnAssembler.Knows",
        "PostgresDatabase.CreateSource",
    ];

    /// <summary>A method that only tests call is a feature that nobody can reach.</summary>
    [Fact]
    public void Every_method_is_used_by_the_product()
    {
        var methods = Product
            .GetTypes()
            .Where(t => t.Namespace?.StartsWith("Postern", Is) == true && t.Name != "_Imports")
            .Where(t => !t.IsInterface && !typeof(Delegate).IsAssignableFrom(t) && !IsMade(t))
            .SelectMany(t => t.GetMethods(Anywhere))
            .Where(m => !m.IsSpecialName && !IsMade(m) && !m.Name.Contains('.', Is) && !m.Name.Contains('<', Is))
            .Where(m => m.GetBaseDefinition() == m && !IsOfInterface(m))
            .ToList();
        Assert.True(methods.Count > 2_000, $"{methods.Count} methods were found");
        string[] found =
        [
            .. methods.Where(m => !Uses.IsUsed(m)).Select(m => $"{m.DeclaringType!.Name}.{m.Name}").Distinct(),
        ];
        Assert.Empty(found.Except(NotCalled, StringComparer.Ordinal));
        Assert.Empty(NotCalled.Except(found, StringComparer.Ordinal));

        static bool IsMade(MemberInfo member) =>
            member.IsDefined(typeof(System.Runtime.CompilerServices.CompilerGeneratedAttribute), false);

        static bool IsOfInterface(MethodInfo method) =>
            !method.IsStatic
            && method
                .DeclaringType!.GetInterfaces()
                .Any(i => method.DeclaringType.GetInterfaceMap(i).TargetMethods.Contains(method));
    }

    private const StringComparison Is = StringComparison.Ordinal;
    private const BindingFlags Anywhere =
        BindingFlags.Instance
        | BindingFlags.Static
        | BindingFlags.Public
        | BindingFlags.NonPublic
        | BindingFlags.DeclaredOnly;

    private static IEnumerable<string> Sources() =>
        Directory
            .EnumerateFiles(Repository.File("src/Postern"), "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains("/obj/", Is) && !f.Contains("/bin/", Is))
            .Select(File.ReadAllText);

    [GeneratedRegex("`([A-Za-z_]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("""(?:Meters\.\w+|CreateObservableGauge|StartActivity)\(\s*"(postern\.[a-z.]+)""")]
    private static partial Regex NewMetric();

    [GeneratedRegex(@"`(postern\.[a-z.]+)`")]
    private static partial Regex Metric();

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    /// <summary>What comes behind a comment, a pipe or an ampersand is the shell's.</summary>
    [GeneratedRegex(
        @"^(?:\w+=\$\(|sudo (?:-u \w+ )?)?postern ((?:'[^']*'|""[^""]*""|[^|&#)\n])+)",
        RegexOptions.Multiline
    )]
    private static partial Regex CommandLine();

    [GeneratedRegex(@"\\\{[^}]*\}")]
    private static partial Regex Hole();

    [GeneratedRegex("`((?:GET|POST|PUT|PATCH|DELETE|HEAD)(?:,? (?:GET|POST|PUT|PATCH|DELETE|HEAD))*)\\s(/[^`\\s]*)")]
    private static partial Regex Route();

    [GeneratedRegex(@"\$U(/[^\s""'`)]*)")]
    private static partial Regex Asked();

    [GeneratedRegex(@"\$\{?\w+\}?")]
    private static partial Regex Variable();

    [GeneratedRegex("^/p/[^/]+")]
    private static partial Regex Plane();
}
