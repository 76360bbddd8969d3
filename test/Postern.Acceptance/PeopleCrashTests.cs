using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// A question to a person through a relay, with one side killed at each step. What the relay has stored stays, an
/// acknowledged answer decides once, and the page shows how it ended.
/// </summary>
public sealed class PeopleCrashTests : IAsyncDisposable
{
    private static readonly string[] Steps =
    [
        "the server, when it has asked",
        "the relay, when it keeps the question",
        "the relay, when it has stored the answer",
        "the server, when it is handed the answer",
        "both, when it is decided",
    ];

    private static readonly int Kills = CrashRounds.Of(Steps.Length);
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-people-").FullName;
    private readonly Dictionary<string, string> _environment = new()
    {
        ["POSTERN_MASTER_KEY"] = "a master key for the crash test, long enough",
        ["POSTERN_RelayServer__UnknownPerSecond"] = "0",
        ["POSTERN_Relay__Transport"] = "websocket",
    };
    private readonly HttpClient _anyone = new() { Timeout = TimeSpan.FromSeconds(70) };
    private (string Relay, string Server) _arguments;
    private ServerProcess? _relay;
    private ServerProcess? _server;
    private string _rootKey = "";
    private string _decider = "";

    public async ValueTask DisposeAsync()
    {
        foreach (var process in (ServerProcess?[])[_server, _relay])
            if (process is not null)
                await process.DisposeAsync();
        _anyone.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_question_is_answered_once_whichever_side_is_killed_at_any_step(Backend backend)
    {
        await StartAsync(backend);
        for (var kill = 0; kill < Kills; kill++)
        {
            var step = Steps[kill % Steps.Length];
            var (run, link) = await AskAsync();
            if (step == Steps[0])
                await AgainAsync(server: true);
            var version = (await PageAsync(link, ended: false)).GetProperty("version").GetInt64();
            if (step == Steps[1])
            {
                await AgainAsync(relay: true);
                Assert.Equal(version, (await PageAsync(link, ended: false)).GetProperty("version").GetInt64());
            }
            var outcome = await AnswerAsync(link, step);
            Assert.Equal(("approved", "Go on."), (outcome.Status, outcome.Feedback));
            if (step == Steps[4])
                await AgainAsync(server: true, relay: true);
            var end = await PageAsync(link, ended: true);
            Assert.Equal("approved", Open(link, end).Status);
            using var http = _server!.Client(_rootKey);
            var events = await http.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{run}/events?limit=500");
            Assert.Equal(
                1,
                events
                    .GetProperty("data")
                    .EnumerateArray()
                    .Count(e => e.GetProperty("type").GetString() == "approval_decided")
            );
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{Kills} kills, {Kills} questions, each decided once");
    }

    /// <summary>Answers, and kills in between where the step says so. The outcome is in the receipt.</summary>
    private async Task<ShownOutcome> AnswerAsync(PageLink link, string step)
    {
        // The answer waits at the relay while the server is away.
        if (step == Steps[2])
            await _server!.KillAsync();
        var nonce = Person.NewNonce();
        var question = await PageAsync(link, ended: false);
        var asked = Open<ShownQuestion>(link, PageSeal.Question, question);
        var said = Person.Said(asked.PayloadHash, "approved", nonce, "Go on.");
        var json = JsonSerializer.SerializeToUtf8Bytes(said, ShownQuestion.Json);
        var text = Base64Url.EncodeToString(PageSeal.Seal(link, PageSeal.Answer, nonce, json));
        using var request = new HttpRequestMessage(HttpMethod.Post, Address(link) + "/answers");
        request.Content = JsonContent.Create(new { nonce, @sealed = text });
        request.Headers.TryAddWithoutValidation("Prefer", "respond-async");
        using var answer = await _anyone.SendAsync(request);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        if (step == Steps[2])
            await AgainAsync(server: true, relay: true);
        if (step == Steps[3])
            await AgainAsync(server: true);
        JsonElement receipt = default;
        await WaitFor.TrueAsync(
            async () =>
            {
                receipt = await _anyone.GetFromJsonAsync<JsonElement>(answer.Headers.Location + "?wait=10");
                return receipt.GetProperty("status").GetString() == "answered";
            },
            TimeSpan.FromSeconds(60),
            step
        );
        var body = receipt.GetProperty("answer").GetProperty("body").GetString()!;
        return Open(link, JsonSerializer.Deserialize<JsonElement>(body));
    }

    private async Task StartAsync(Backend backend)
    {
        var url = $"http://127.0.0.1:{PostgresServer.FreePort()}";
        var database = Database();
        _arguments = (
            $"--data {_folder}/relay --urls {url}{Database()}",
            $"--data {_folder}/server --urls http://127.0.0.1:{PostgresServer.FreePort()} --dev{database}"
        );
        _relay = await ServerProcess.StartAsync(_arguments.Relay, _environment, command: "relay serve");
        var (code, text, error) = await PosternCommand.RunAsync($"relay enrol office {_arguments.Relay}", _environment);
        Assert.True(code == 0, error);
        _server = await ServerProcess.StartAsync($"{_arguments.Server} --relay {text.Trim()}", _environment);
        _rootKey = _server.RootKey;
        using var http = _server.Client(_rootKey);
        (await http.PutAsJsonAsync("/api/v1/agents/p", new { kind = "pull" })).EnsureSuccessStatusCode();
        // A key with the right to decide, given by its name, sees the links.
        var made = await PosternCommand.RunAsync(
            $"keys create decider --scopes write:approvals,read:approvals,read:runs --data {_folder}/server{database}",
            _environment
        );
        Assert.True(made.Code == 0, made.Error);
        _decider = made.Out.Trim().Split('\n')[^1];

        string Database() => backend == Backend.Postgres ? $" --database \"{PostgresServer.NewDatabase()}\"" : "";
    }

    /// <summary>kill -9, then start again.</summary>
    private async Task AgainAsync(bool server = false, bool relay = false)
    {
        if (server)
            await _server!.DisposeAsync();
        if (relay)
        {
            await _relay!.DisposeAsync();
            _relay = await ServerProcess.StartAsync(_arguments.Relay, _environment, command: "relay serve");
        }
        if (server)
            _server = await ServerProcess.StartAsync(_arguments.Server, _environment);
    }

    /// <summary>A run that asks a person, as its worker does it.</summary>
    private async Task<(string Run, PageLink Link)> AskAsync()
    {
        using var http = _server!.Client(_rootKey);
        (await http.PostAsJsonAsync("/api/v1/runs", new { agent = "p", input = 1 })).EnsureSuccessStatusCode();
        var claim = await http.PostAsJsonAsync("/api/v1/agents/p/claim", new { waitSeconds = 10, leaseSeconds = 3600 });
        var item = (await claim.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("data")[0];
        var run = item.GetProperty("run").GetProperty("id").GetString()!;
        using var worker = _server.Client(item.GetProperty("token").GetString()!);
        var asked = await worker.PostAsJsonAsync(
            $"/api/v1/executions/{run}/request-approval",
            new { title = "Delete the orders?", payload = new { sql = "DROP TABLE orders" } }
        );
        asked.EnsureSuccessStatusCode();
        var id = (await asked.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("approval_request_id").GetString();
        using var decider = _server.Client(_decider);
        var shown = await decider.GetFromJsonAsync<JsonElement>("/api/v1/approvals/" + id);
        return (run, PageLink.TryParse(shown.GetProperty("request_url").GetString()!)!);
    }

    private static string Address(PageLink link) =>
        $"{new Uri(link.Url).GetLeftPart(UriPartial.Authority)}/relay/v1/pages/{link.Plane}/{link.Page}";

    /// <summary>Returns the page, when the relay has it.</summary>
    private async Task<JsonElement> PageAsync(PageLink link, bool ended)
    {
        JsonElement page = default;
        await WaitFor.TrueAsync(
            async () =>
            {
                using var answer = await _anyone.GetAsync(Address(link));
                if (answer.StatusCode != HttpStatusCode.OK)
                    return false;
                page = await answer.Content.ReadFromJsonAsync<JsonElement>();
                return page.GetProperty("ended").GetBoolean() == ended;
            },
            TimeSpan.FromSeconds(60),
            ended ? "the page has ended" : "the page is at the relay"
        );
        return page;
    }

    private static ShownOutcome Open(PageLink link, JsonElement from) =>
        Open<ShownOutcome>(link, PageSeal.Outcome, from);

    private static T Open<T>(PageLink link, string kind, JsonElement from)
    {
        var version = from.GetProperty("version").GetInt64().ToString(CultureInfo.InvariantCulture);
        var text = Base64Url.DecodeFromChars(from.GetProperty("sealed").GetString());
        return JsonSerializer.Deserialize<T>(PageSeal.TryOpen(link, kind, version, text)!, ShownQuestion.Json)!;
    }
}
