using System.Diagnostics;
using System.Text.RegularExpressions;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The commands of the documents, pasted page by page into a shell, as a reader does. None may fail, and what a page
/// prints below a command is what the command prints: an ellipsis stands for anything, and so does a number or an id.
/// </summary>
public sealed partial class DocumentWalkTests(DocumentWalkTests.World world) : IClassFixture<DocumentWalkTests.World>
{
    /// <summary>A server, a receiver, and <c>postern</c> on the path of the shell.</summary>
    public sealed class World : IAsyncLifetime
    {
        internal string Folder { get; } = Directory.CreateTempSubdirectory("postern-pages-").FullName;

        internal ServerProcess Server { get; private set; } = null!;

        internal Receiver Receiver { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Receiver = await Receiver.StartAsync();
            var program = Path.Combine(Folder, "postern");
            await File.WriteAllTextAsync(program, $"#!/bin/sh\nexec dotnet {PosternCommand.Path} \"$@\"\n");
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            Server = await ServerProcess.StartAsync($"--data {Folder}/data --urls http://127.0.0.1:0 --dev");
        }

        public async ValueTask DisposeAsync()
        {
            await Server.DisposeAsync();
            await Receiver.DisposeAsync();
            Directory.Delete(Folder, recursive: true);
        }
    }

    /// <summary>A refused request ends the shell, and so does a variable that no block has set.</summary>
    private const string Strict =
        "set -eu -o pipefail\ncurl() { command curl --no-progress-meter --fail-with-body \"$@\"; }\n";

    /// <summary>The first question is decided by now, so the run asks a second one.</summary>
    private const string AskAgain = """
        ID=$(curl -s $U/api/v1/executions/$RUN/request-approval -H "Authorization: Bearer $TOKEN" \
            -d '{"title":"Again"}' |
            sed 's/.*"approval_request_id":"\([^"]*\)".*/\1/')
        """;

    private const string Crowd = """
        curl -s -X PUT $U/api/v1/agents/words -H "Authorization: Bearer $KEY" -d '{"kind":"pull"}'
        for i in 1 2 3; do
          curl -s $U/api/v1/runs -H "Authorization: Bearer $KEY" -d '{"agent":"words"}'
        done
        """;

    /// <summary>The id that the page shows is of another refusal than the one of this server.</summary>
    private const string Refused = """
        AUD=$(command curl -si $U/api/v1/keys -H 'Authorization: Bearer wrong' | tr -d '\r' |
            sed -n 's/^X-Refusal-Id: //p')
        """;

    /// <summary>An agent whose work a worker fetches, and a run of it.</summary>
    private const string Work = """
        curl -s -X PUT $U/api/v1/agents/words -H "Authorization: Bearer $KEY" -d '{"kind":"pull"}'
        curl -s $U/api/v1/runs -H "Authorization: Bearer $KEY" -d '{"agent":"words"}'
        """;

    /// <summary>What happens before a block: page, words of the block, commands.</summary>
    private static readonly (string Page, string Block, string Before)[] Between =
    [
        ("access", "audit?id", Refused),
        ("bulk", "WHAT=", Crowd),
        ("access", "keys rotate", "CI=$(postern keys create other | head -n 1)"),
        ("approvals", "BODY=", AskAgain),
        ("runs", "claim", Work),
        (
            "deliveries",
            "status=dead",
            "DLV=$(curl -s \"$U/api/v1/deliveries?limit=1\" -H \"Authorization: Bearer $KEY\" |"
                + " sed 's/.*\"id\":\"\\(dlv_[^\"]*\\)\".*/\\1/')"
        ),
    ];

    /// <summary>What needs another's program, or is not for a shell that ends.</summary>
    private static readonly string[] OfOthers = ["gh api", "stripe listen", "https://api.pagerduty.com", "--data DIR"];

    [Theory]
    [InlineData("access")]
    [InlineData("agents")]
    [InlineData("approvals")]
    [InlineData("bulk")]
    [InlineData("callbacks")]
    [InlineData("connect-curl")]
    [InlineData("connect-github")]
    [InlineData("connect-gitlab")]
    [InlineData("connect-linear")]
    [InlineData("connect-pagerduty")]
    [InlineData("connect-sentry")]
    [InlineData("connect-shopify")]
    [InlineData("connect-slack")]
    [InlineData("connect-stripe")]
    [InlineData("deliveries")]
    [InlineData("operating")]
    [InlineData("runs")]
    [InlineData("sessions")]
    [InlineData("triggers")]
    [InlineData("workflows")]
    public async Task The_commands_of_a_page_work_as_pasted(string page)
    {
        var text = await File.ReadAllTextAsync(Repository.File($"docs/{page}.md"));
        var blocks = Block().Matches(text).ToList();
        var pasted = new List<string> { Strict, "SECRET=a-secret-that-the-provider-gave" };
        foreach (var block in blocks.Select(b => b.Groups["commands"].Value))
        {
            if (OfOthers.Any(o => block.Contains(o, StringComparison.Ordinal) && !block.Contains("$U/api", Is)))
                continue;
            pasted.AddRange(Between.Where(b => b.Page == page && block.Contains(b.Block, Is)).Select(b => b.Before));
            pasted.Add(Given().Replace(block, ""));
            pasted.Add("echo");
        }
        Assert.True(pasted.Count > 3, "the page has commands");
        var (code, said) = await RunAsync(Here(string.Join('\n', pasted)));
        Assert.True(code == 0, $"{page}.md: {code}\n{said}");
        foreach (var shown in blocks.Select(b => b.Groups["shown"].Value))
            AssertShows(said, Here(shown.Replace("aud_01m8gzzs3per68f2671k1p2wsp", "…", Is)), page);

        // What stands here in place of the page's example. The pages share a server, so the names of agents differ.
        string Here(string text) =>
            text.Replace("https://example.com/hooks", world.Receiver.Url, Is)
                .Replace("https://agents.example.com/hook", world.Receiver.Url, Is)
                .Replace("words", "words-" + page, Is)
                .Replace("aud_01m8gzzs3per68f2671k1p2wsp", "$AUD", Is)
                .Replace("key_…", "$CI", Is)
                .Replace("dlv_…", "$DLV", Is)
                .Replace("curl -si $U/api/v1/keys", "command curl -si $U/api/v1/keys", Is);
    }

    /// <summary>Both terminals of the walk through a relay.</summary>
    [Fact]
    public async Task The_walk_through_a_relay_works_as_pasted()
    {
        var text = await File.ReadAllTextAsync(Repository.File("docs/relay.md"));
        var walk = text[text.IndexOf("## Try it", Is)..text.IndexOf("## Run one", Is)];
        var blocks = Block().Matches(walk).ToList();
        Assert.Equal(6, blocks.Count);
        string Shown(int block) => blocks[block].Groups["shown"].Value;

        await using var relay = await ServerProcess.StartAsync(
            $"--data {world.Folder}/relay --urls http://127.0.0.1:0",
            command: "relay serve"
        );
        AssertShows(relay.Output, Shown(0), "relay");
        // The port of this relay stands for the one on the page.
        string Here(string block) =>
            block
                .Replace("http://127.0.0.1:7401", relay.Url, Is)
                .Replace("./relay", $"{world.Folder}/relay", Is)
                .Replace("enrol office", $"enrol office --urls {relay.Url}", Is);

        var (coded, code) = await RunAsync(Strict + Here(blocks[1].Groups["commands"].Value));
        Assert.True(coded == 0, code);
        AssertShows(code, Here(Shown(1)), "relay");
        var arguments = $"--dev --data {world.Folder}/plane --urls http://127.0.0.1:0";
        await using var first = await ServerProcess.StartAsync($"{arguments} --relay '{code.Trim()}'".Replace("'", ""));
        await first.SaysAsync("Connected to the relay");
        AssertShows(first.Output, Shown(2), "relay");

        var given = $"{Strict}U={first.Url} KEY={first.RootKey}\n";
        var (called, answer) = await RunAsync(given + Here(blocks[3].Groups["commands"].Value));
        Assert.True(called == 0, answer);
        AssertShows(answer, Here(Shown(3)), "relay");
        Assert.Equal(0, await first.TerminateAsync());

        var plane = PlaneId().Match(answer).Value;
        var (stored, receipt) = await RunAsync($"{given}P={plane}\n{Here(blocks[4].Groups["commands"].Value)}");
        Assert.True(stored == 0, receipt);
        AssertShows(receipt, Here(Shown(4)), "relay");
        await using var again = await ServerProcess.StartAsync(arguments);
        var address = Receipt().Match(receipt).Groups[1].Value;
        var ask = ReceiptOfPage().Replace(blocks[5].Groups["commands"].Value, $"'{address}?");
        var (asked, told) = await RunAsync(Strict + ask);
        Assert.True(asked == 0, told);
        AssertShows(told, Here(Shown(5)), "relay");
    }

    private const StringComparison Is = StringComparison.Ordinal;

    /// <summary>Each line that a page shows comes, in that order.</summary>
    private static void AssertShows(string said, string shown, string page)
    {
        var at = 0;
        foreach (var line in shown.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Trim() == "…")
                continue;
            var wanted = new Regex(Changing().Replace(Regex.Escape(line.TrimEnd()), @"[^\n]*?"), RegexOptions.None);
            var found = wanted.Match(said, at);
            Assert.True(found.Success, $"{page}.md shows\n{line}\nand this was printed:\n{said[at..]}");
            at = found.Index + found.Length;
        }
    }

    private async Task<(int Code, string Said)> RunAsync(string script)
    {
        var start = new ProcessStartInfo("bash", ["-c", script])
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = $"{world.Folder}:{start.Environment["PATH"]}";
        start.Environment["POSTERN_DATA"] = world.Folder + "/data";
        start.Environment["U"] = world.Server.Url;
        start.Environment["KEY"] = world.Server.RootKey;
        using var shell = Process.Start(start)!;
        var (said, faults) = (shell.StandardOutput.ReadToEndAsync(), shell.StandardError.ReadToEndAsync());
        await shell.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
        return (shell.ExitCode, await said + await faults);
    }

    /// <summary>A block of commands, and what the page shows below it.</summary>
    [GeneratedRegex(
        "```sh\n(?<commands>.*?)```\n(?:```(?:json)?\n(?<shown>.*?)```)?",
        RegexOptions.Singleline | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Block();

    /// <summary>The reader's own address, key and secret, which this test has set.</summary>
    [GeneratedRegex(@"^(?:export U=.*|SECRET=(?:…|\$\(stripe).*)$", RegexOptions.Multiline)]
    private static partial Regex Given();

    /// <summary>What differs from run to run: ellipses, ids, digests, receipts and numbers.</summary>
    [GeneratedRegex(
        @"…|[0-9a-f]{8}-[0-9a-f-]{27}|[a-z]+_01[a-z0-9]+|eyJ[\w-]+|[0-9a-f]{7,}|(?<=receipts/)[\w-]+|[0-9]+"
    )]
    private static partial Regex Changing();

    [GeneratedRegex("pln_[a-z0-9]+")]
    private static partial Regex PlaneId();

    [GeneratedRegex(@"Location: (\S+)", RegexOptions.IgnoreCase)]
    private static partial Regex Receipt();

    [GeneratedRegex(@"'http[^?']*\?")]
    private static partial Regex ReceiptOfPage();
}
