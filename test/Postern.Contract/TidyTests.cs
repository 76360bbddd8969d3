using System.Text.RegularExpressions;
using Postern.House;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// The style guide as a test: sizes, the direction of dependencies, and documents that name only what exists.
/// </summary>
public sealed partial class TidyTests
{
    /// <summary>From the lowest folder to the one that may use all: a folder uses itself and those before it.</summary>
    private static readonly string[] Order =
    [
        "Storage",
        "Settings",
        "Http",
        "Access",
        "Live",
        "Metrics",
        "Deliveries",
        "Agents",
        "Runs",
        "Sessions",
        "Triggers",
        "Dispatch",
        "Approvals",
        "History",
        "Relay",
        "Bulk",
        "Pages",
        "Hosting",
    ];

    /// <summary>The only folder that names a table; the command line, migrations and backups may name all.</summary>
    private static readonly Dictionary<string, string[]> Tables = new(StringComparer.Ordinal)
    {
        ["Storage"] = ["meta", "node", "hint_log"],
        ["Access"] =
        [
            "project",
            "api_key",
            "revocation",
            "used_token",
            "audit",
            "callback_secret",
            "callback_token_secret",
            "approval_service",
            "console_session",
            "key_address",
            "console_link",
        ],
        ["Metrics"] = ["metric"],
        ["Deliveries"] = ["event", "webhook_endpoint", "delivery", "delivery_attempt"],
        ["Agents"] = ["agent", "agent_asked"],
        ["Runs"] = ["run", "run_data", "run_event", "run_attempt", "run_request", "workflow"],
        ["Sessions"] = ["session", "record", "message", "message_piece", "message_draft", "participant"],
        ["Triggers"] = ["agent_trigger", "removed_trigger", "capture", "capture_key"],
        ["Approvals"] = ["approval", "approval_aside"],
        ["Bulk"] = ["bulk_preview", "bulk_job", "bulk_skip"],
        ["Pages"] = ["console_once"],
        ["Relay"] =
        [
            "joined_relay",
            "joined_page",
            "joined_node",
            "relay_envelope",
            "relay_plane",
            "relay_code",
            "relay_nonce",
            "relay_connection",
            "relay_request",
            "relay_page",
            "relay_page_room",
            "relay_network",
            "relay_key",
        ],
    };

    private const int MostParts = 7;

    private static readonly string[] Folders = ["src", "test", "bench", "samples"];

    [GeneratedRegex(
        @"^(?:(?:public|internal|sealed|static|abstract|partial|readonly) )*"
            + @"(?:class|struct|enum|interface|record(?: struct)?) (\w+)",
        RegexOptions.Multiline
    )]
    private static partial Regex TopLevelType();

    private static IEnumerable<string> Sources(string folder) =>
        Directory
            .EnumerateFiles(Repository.File(folder), "*.cs", SearchOption.AllDirectories)
            .Where(f =>
                !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal)
            );

    [Fact]
    public void No_file_is_longer_than_its_limit()
    {
        foreach (var (folder, limit) in new[] { ("src", 400), ("test", 800), ("bench", 400), ("samples", 400) })
        foreach (var file in Sources(folder))
            Assert.True(
                File.ReadAllLines(file).Length <= limit,
                $"{file} has {File.ReadAllLines(file).Length} lines; {limit} are enough"
            );
    }

    [Fact]
    public void Every_picture_is_shown_by_a_document_and_every_one_that_is_shown_is_there()
    {
        var documents = Directory
            .GetFiles(Repository.File("docs"), "*.md")
            .Append(Repository.File("README.md"))
            .Select(File.ReadAllText)
            .ToList();
        var pictures = Directory.GetFiles(Repository.File("docs"), "*.png").Select(Path.GetFileName).ToList();
        Assert.NotEmpty(pictures);
        Assert.All(pictures, p => Assert.Contains(documents, d => d.Contains($"{p})", StringComparison.Ordinal)));
        var shown = documents.SelectMany(d => d.Split('(').Skip(1).Select(part => part.Split(')')[0]));
        Assert.All(
            shown.Where(link => link.EndsWith(".png", StringComparison.Ordinal)),
            link => Assert.Contains(Path.GetFileName(link), pictures)
        );
    }

    [Fact]
    public void No_line_is_wider_than_120_columns()
    {
        foreach (var folder in Folders)
        foreach (var file in Sources(folder))
            Assert.All(
                File.ReadAllLines(file).Select((line, i) => (line.Length, i + 1)),
                line =>
                    Assert.True(line.Length <= 120, $"{file}:{line.Item2} has {line.Length} columns; 120 are enough")
            );
        var texts = Width.Files(Repository.Root).ToList();
        Assert.All(
            (string[])["SessionPage.razor", "console.css", "live.js", "chat.mjs", "bad-night.sh", "README.md"],
            name => Assert.Contains(texts, text => text.EndsWith("/" + name, StringComparison.Ordinal))
        );
        Assert.All(texts, text => Assert.Equal([], Width.WideIn(text).Select(line => $"{text}:{line}")));
    }

    /// <summary>Wire records that belong together may share a file: <c>…Views.cs</c>.</summary>
    [Fact]
    public void Every_type_is_found_by_its_name()
    {
        foreach (var folder in Folders.Except(["samples"]))
        foreach (var file in Sources(folder).Where(f => !f.EndsWith("Views.cs", StringComparison.Ordinal)))
        {
            var name = Path.GetFileName(file).Split('.')[0];
            foreach (Match type in TopLevelType().Matches(File.ReadAllText(file)))
                Assert.True(type.Groups[1].Value == name, $"{file} holds {type.Groups[1].Value}: give it a file");
        }
    }

    /// <summary>The command line accepts, checks and describes both databases; the features know only one.</summary>
    [Fact]
    public void No_feature_names_a_database()
    {
        foreach (var file in Sources("src/Postern"))
        {
            var folder = Path.GetRelativePath(Repository.File("src/Postern"), file).Split('/')[0];
            if (folder is "Storage" or "Hosting" or "Settings")
                continue;
            var code = File.ReadLines(file).Where(l => !l.TrimStart().StartsWith("//", StringComparison.Ordinal));
            Assert.DoesNotContain(code, line => DatabaseName().IsMatch(line));
        }
    }

    [GeneratedRegex("Sqlite|Postgres|Npgsql", RegexOptions.IgnoreCase)]
    private static partial Regex DatabaseName();

    [Fact]
    public void Folders_depend_in_one_direction()
    {
        foreach (var file in Sources("src/Postern"))
        {
            var folder = Path.GetRelativePath(Repository.File("src/Postern"), file).Split('/')[0];
            if (folder.EndsWith(".cs", StringComparison.Ordinal))
                continue;
            var place = Array.IndexOf(Order, folder);
            Assert.True(place >= 0, $"The folder {folder} has no place among the others: give it one in TidyTests");
            foreach (Match use in Use().Matches(File.ReadAllText(file)))
            {
                var used = use.Groups[1].Value;
                Assert.True(
                    Array.IndexOf(Order, used) <= place,
                    $"{file} uses Postern.{used}, which stands above {folder}: raise a change that it reacts to "
                        + "(ReactionTable), or move what it needs"
                );
            }
        }
    }

    [Fact]
    public void A_table_is_named_by_its_owner_alone()
    {
        var owners = Tables
            .SelectMany(o => o.Value.Select(table => (table, o.Key)))
            .ToDictionary(o => o.table, o => o.Key, StringComparer.Ordinal);
        Assert.Empty(
            Postern
                .Storage.Migrations.All.SelectMany(m => NewTable().Matches(m.Sql).Select(t => t.Groups[1].Value))
                .Except(owners.Keys, StringComparer.Ordinal)
        );
        foreach (var file in Sources("src/Postern"))
        {
            var folder = Path.GetRelativePath(Repository.File("src/Postern"), file).Split('/')[0];
            if (folder is "Storage" or "Hosting")
                continue;
            foreach (var line in File.ReadLines(file))
            foreach (Match named in NamedTable().Matches(line))
            {
                if (owners.TryGetValue(named.Groups[1].Value, out var owner))
                    Assert.True(owner == folder, $"{file} names the table of {owner}: {line.Trim()}");
            }
        }
    }

    [Fact]
    public void No_constructor_has_more_than_seven_parameters()
    {
        var parts = typeof(Postern.Storage.Database)
            .Assembly.GetTypes()
            .Where(t => t is { IsClass: true, IsNested: false } && t.GetMethod("<Clone>$") is null)
            .Where(t => t.Namespace?.StartsWith("Postern", StringComparison.Ordinal) == true)
            .Where(t => !typeof(Exception).IsAssignableFrom(t))
            .ToDictionary(
                t => t.FullName!,
                t => t.GetConstructors(Everything).Select(c => c.GetParameters().Length).DefaultIfEmpty(0).Max(),
                StringComparer.Ordinal
            );
        Assert.True(parts.Count > 200, "the classes were found");
        Assert.All(
            parts,
            p => Assert.True(p.Value <= MostParts, $"{p.Key} is made of {p.Value} parts: what of it belongs together?")
        );
    }

    [Fact]
    public void Records_with_many_members_are_set_by_name()
    {
        var found = typeof(Postern.Storage.Database)
            .Assembly.GetTypes()
            .Where(t =>
                t.GetMethod("<Clone>$") is not null && t.GetConstructors().Any(c => c.GetParameters().Length > 9)
            )
            .Select(t => t.Name);
        Assert.Empty(found);
    }

    /// <summary>A pair of which one is null is easily used wrongly; <c>Checked</c> is not.</summary>
    [Fact]
    public void A_step_that_may_be_refused_returns_Checked()
    {
        var methods = typeof(Postern.Storage.Database)
            .Assembly.GetTypes()
            .Where(t => t.Namespace?.StartsWith("Postern", StringComparison.Ordinal) == true)
            .SelectMany(t => t.GetMethods(Everything | System.Reflection.BindingFlags.DeclaredOnly))
            .ToList();
        Assert.Contains(
            methods,
            m => Inside(m.ReturnType).Any(t => t.Name.StartsWith("Checked`", StringComparison.Ordinal))
        );
        Assert.Empty(
            methods.Where(m => Inside(m.ReturnType).Any(IsPairWithRefusal)).Select(m => $"{m.DeclaringType}.{m.Name}")
        );

        static bool IsPairWithRefusal(Type type) =>
            type.Name.StartsWith("ValueTuple`", StringComparison.Ordinal)
            && type.GetGenericArguments().Contains(typeof(Postern.Http.Refusal));

        static IEnumerable<Type> Inside(Type type) => type.GetGenericArguments().SelectMany(Inside).Prepend(type);
    }

    [GeneratedRegex(@"\b(?:FROM|INTO|UPDATE|JOIN) ([a-z_]+)\b")]
    private static partial Regex NamedTable();

    /// <summary>
    /// A body is read by the record that its door documents: outside <c>Http</c> nobody reads it member by member,
    /// which would write its bounds a second time.
    /// </summary>
    [Fact]
    public void Bodies_are_read_by_their_records_alone()
    {
        var http = Repository.File("src/Postern/Http");
        var found = Sources("src")
            .Where(f => !f.StartsWith(http, StringComparison.Ordinal))
            .SelectMany(f => ReadsMember().Matches(File.ReadAllText(f)).Select(m => $"{f}: {m.Value}"));
        Assert.Empty(found);
    }

    [Fact]
    public void Types_are_not_named_for_what_everything_is()
    {
        foreach (var file in Sources("src"))
            Assert.False(
                Regex.IsMatch(
                    Path.GetFileNameWithoutExtension(file),
                    "(Manager|Helper|(?<!Approval)Service|Util|Utils|Impl|Base|Processor)$"
                ),
                file
            );
    }

    [Fact]
    public void Every_error_code_is_documented()
    {
        var documented = File.ReadAllText(Repository.File("docs/errors.md"));
        var codes = Sources("src")
            .SelectMany(f => RefusalCode().Matches(File.ReadAllText(f)).Select(m => m.Groups[1].Value))
            .ToHashSet(StringComparer.Ordinal);
        Assert.True(codes.Count > 20, "the codes were found");
        foreach (var code in codes)
            Assert.Contains($"`{code}`", documented, StringComparison.Ordinal);
    }

    /// <summary>
    /// Structures that live as long as one request, one command or one statement, and those that are filled once at the
    /// start.
    /// </summary>
    private static readonly string[] ShortLived =
    [
        "ListQuery",
        "DoneOutside",
        "TurnAssembler",
        "Fields",
        "Tx",
        "PostgresTx",
        "EventsTogether",
        "ProjectCaller",
        "InboundRequest",
        "LockOrder",
        "Schemas",
        "PageFilters",
        "WorkflowPicture",
        "BulkFilter",
        "ConsoleForm",
        "Timeline",
        "ChartTable",
    ];
    private static readonly string[] FilledOnce =
    [
        "Door",
        "Doors",
        "OperatorRoles",
        "Redelivery",
        "OperatorOptions",
        "OpenApiDocument",
        "RunCounts",
    ];

    [Fact]
    public void Every_growing_structure_has_its_bound_in_the_documents()
    {
        var operating = File.ReadAllText(Repository.File("docs/operating.md"));
        var rows = operating
            .Split('\n')
            .Where(l => l.StartsWith("| `", StringComparison.Ordinal))
            .Select(l => l.Split('|')[1]);
        var named = rows.SelectMany(r => r.Split('`')).ToHashSet(StringComparer.Ordinal);
        string[] tables =
        [
            "meta",
            .. Postern.Storage.Migrations.All.SelectMany(m => NewTable().Matches(m.Sql).Select(t => t.Groups[1].Value)),
        ];
        Assert.True(tables.Length > 25, "the tables were found");
        Assert.Empty(tables.Except(named, StringComparer.Ordinal));

        var keepers = typeof(Postern.Storage.Database)
            .Assembly.GetTypes()
            .Where(t => t.Namespace?.StartsWith("Postern", StringComparison.Ordinal) == true && !t.IsNested)
            .Where(t => t.GetFields(Everything).Any(f => Grows(f.FieldType)))
            .Select(t => t.Name.Split('`')[0])
            .ToList();
        Assert.True(keepers.Count > 20, "the structures in memory were found");
        Assert.Empty(keepers.Except([.. named, .. ShortLived, .. FilledOnce], StringComparer.Ordinal));

        static bool Grows(Type field) =>
            field.IsGenericType
            && (
                field.Namespace?.StartsWith("System.Collections", StringComparison.Ordinal) == true
                || field.Namespace?.StartsWith("System.Threading.Channels", StringComparison.Ordinal) == true
                || field.Namespace?.StartsWith("BitFaster", StringComparison.Ordinal) == true
            )
            && !field.IsInterface
            && !field.Name.StartsWith("Frozen", StringComparison.Ordinal);
    }

    private const System.Reflection.BindingFlags Everything =
        System.Reflection.BindingFlags.Instance
        | System.Reflection.BindingFlags.NonPublic
        | System.Reflection.BindingFlags.Public;

    [GeneratedRegex(@"CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)")]
    private static partial Regex NewTable();

    /// <summary>A name in back-ticks that looks like a file or a type of ours exists.</summary>
    [Fact]
    public void Documents_name_only_what_exists()
    {
        var sources = string.Concat(
            Sources("src")
                .Concat(Sources("test"))
                .Concat(Sources("bench"))
                .Concat(Sources("samples"))
                .Select(File.ReadAllText)
                .Concat(Directory.EnumerateFiles(Repository.File("src/Postern/Pages"), "*.razor"))
        );
        string[] documents =
        [
            "README.md",
            "ARCHITECTURE.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            .. Directory
                .GetFiles(Repository.File("docs"), "*.md")
                .Select(f => Path.GetRelativePath(Repository.Root, f)),
        ];
        foreach (var document in documents)
        {
            foreach (Match name in Ticked().Matches(File.ReadAllText(Repository.File(document))))
            {
                var text = name.Groups[1].Value;
                if (FileLike().IsMatch(text))
                    Assert.True(
                        File.Exists(Repository.File(text))
                            || Directory.Exists(Repository.File(text))
                            || Directory.Exists(Repository.File("src/Postern/" + text)),
                        $"{document} names {text}, which is not there"
                    );
                else if (TypeLike().IsMatch(text))
                    Assert.True(
                        Regex.IsMatch(sources, $@"\b{Regex.Escape(text.Split('.')[0])}\b"),
                        $"{document} names {text}, which no source knows"
                    );
            }
        }
    }

    /// <summary>
    /// Whoever lets time pass for a caller asks him again. Bodies are read by one class (the compiler sees to that);
    /// here, that what waits does so through a held wait or a stream, which ask, that names are looked up for a
    /// request, and that a loop which writes asks in each round.
    /// </summary>
    [Fact]
    public void Nothing_is_written_after_a_wait_without_asking_the_caller_again()
    {
        var seen = 0;
        foreach (var file in Sources("src/Postern"))
        {
            var text = File.ReadAllText(file);
            // Those that serve a caller, but for those that do the asking.
            if (
                !text.Contains("ProjectCaller caller", StringComparison.Ordinal)
                || text.Contains(": BackgroundService", StringComparison.Ordinal)
                || file.Contains("/Live/", StringComparison.Ordinal)
            )
                continue;
            seen++;
            foreach (Match wait in Waits().Matches(text))
                Assert.True(
                    wait.Value.Contains("ForAsync(", StringComparison.Ordinal)
                        || wait.Value.Contains("stream.WaitAsync(", StringComparison.Ordinal)
                        || Calls().IsMatch(wait.Value),
                    $"{file} waits by itself: {wait.Value.Trim()}. Wait by HeldWait.ForAsync, which asks the caller "
                        + "again"
                );
            Assert.False(
                Looks().IsMatch(text),
                $"{file} looks a name up and does not ask the caller again: OutboundGuard.ValidateAsync(http,"
                    + " …) does"
            );
            foreach (var loop in Loops(text).Where(l => l.Contains("database.WriteAsync(", StringComparison.Ordinal)))
                Assert.True(
                    loop.Contains("EnsureStillAllowed", StringComparison.Ordinal),
                    $"{file} writes in a loop and does not ask the caller again in each round:\n{loop}"
                );
        }
        Assert.True(seen > 15, $"{seen} files hold a caller");
    }

    /// <summary>Each loop of a file: its head and its body.</summary>
    private static IEnumerable<string> Loops(string text)
    {
        foreach (Match head in LoopHead().Matches(text))
        {
            var at = End(text, head.Index + head.Length - 1, '(', ')');
            while (char.IsWhiteSpace(text[at]))
                at++;
            yield return text[head.Index..(text[at] == '{' ? End(text, at, '{', '}') : text.IndexOf(';', at) + 1)];
        }

        static int End(string text, int from, char opens, char closes)
        {
            for (int at = from, depth = 0; ; at++)
            {
                if (text[at] == opens)
                    depth++;
                else if (text[at] == closes && --depth == 0)
                    return at + 1;
            }
        }
    }

    /// <summary>
    /// A text that takes in what depends on the database begins with a dollar sign. Without it, the statement fails
    /// each time; one that only a loop sends is then one line of the log.
    /// </summary>
    [Fact]
    public void No_statement_has_the_name_of_a_value_in_place_of_the_value()
    {
        foreach (var file in Sources("src"))
            Assert.All(
                WrittenText().Matches(File.ReadAllText(file)).Where(text => text.Value[0] != '$'),
                text => Assert.DoesNotContain("{tx.", text.Value, StringComparison.Ordinal)
            );
    }

    /// <summary>A class that was renamed would begin at any time, and nobody would notice.</summary>
    [Fact]
    public void The_classes_that_begin_first_are_there()
    {
        var files = Directory
            .EnumerateFiles(Repository.File("test"), "*.cs", SearchOption.AllDirectories)
            .Select(Path.GetFileNameWithoutExtension);
        Assert.Empty(LongestFirst.Long.Except(files, StringComparer.Ordinal));
    }

    /// <summary>The drawing of the sample workflow shows exactly the ways of the sample.</summary>
    [Fact]
    public void The_drawn_state_machine_is_the_sample()
    {
        var definition = System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(
            File.ReadAllText(Repository.File("samples/workflows/media-pipeline.json"))
        );
        var ways = definition
            .GetProperty("states")
            .EnumerateObject()
            .SelectMany(s =>
                s.Value.GetProperty("to")
                    .EnumerateArray()
                    .Select(t => $"{s.Name} --> {t.GetString()}")
                    .Concat(s.Value.TryGetProperty("self", out _) ? [$"{s.Name} --> {s.Name}"] : Array.Empty<string>())
            );
        var drawn = Regex
            .Matches(
                File.ReadAllText(Repository.File("docs/workflows.md")),
                "^  ([A-Z_]+ --> [A-Z_]+)$",
                RegexOptions.Multiline
            )
            .Select(m => m.Groups[1].Value);
        Assert.Equal(ways.Order(StringComparer.Ordinal), drawn.Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"^.*(?:\bWaitAsync\(|Task\.Delay\(|Task\.WhenAny\().*$", RegexOptions.Multiline)]
    private static partial Regex Waits();

    /// <summary>A file's own method of that name, and the calls of it.</summary>
    [GeneratedRegex(
        @"(?<![.\w])WaitAsync\(http, caller,|Task<[\w?\[\]]+> WaitAsync\(HttpContext http, ProjectCaller caller,"
    )]
    private static partial Regex Calls();

    [GeneratedRegex(@"ValidateAsync\((?!http,)|BeforeProxyAsync\(")]
    private static partial Regex Looks();

    [GeneratedRegex(@"\b(?:while|for|foreach) \(")]
    private static partial Regex LoopHead();

    [GeneratedRegex(@"\bMemberValue\b|\b[Ff]ields\.(?:Find|Root\.TryGetProperty|Root\.GetProperty)\(")]
    private static partial Regex ReadsMember();

    [GeneratedRegex(@"^using Postern\.(\w+)", RegexOptions.Multiline)]
    private static partial Regex Use();

    [GeneratedRegex(@"(?:new Refusal\(\d+, .+?, |BadRequest\(.+?, |new\(\d+, .+?, )""([a-z]+(?:_[a-z]+)*)""[),]")]
    private static partial Regex RefusalCode();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Ticked();

    [GeneratedRegex(@"^(src|test|bench|docs|samples|\.ci)/[\w./-]+$")]
    private static partial Regex FileLike();

    /// <summary>Texts as they are written. Single characters too, because a quote of theirs begins no text.</summary>
    [GeneratedRegex(
        """
            '(?:[^'\\\n]|\\.+?)'|\$+("{3,}).*?\1|("{3,}).*?\2|[$@]*"(?:[^"\\\n]|\\.)*"
            """,
        RegexOptions.Singleline
    )]
    private static partial Regex WrittenText();

    [GeneratedRegex(@"^[A-Z][a-z]+[A-Z]\w+(\.\w+)?$")]
    private static partial Regex TypeLike();
}
