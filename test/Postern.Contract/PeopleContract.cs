using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Approvals;
using Postern.Relay.Plane;
using Postern.Relay.Protocol;
using Postern.Relay.Server;
using Postern.Settings;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// People who answer through a relay: the relay, the server that asks, and a person with the link, all complete, on
/// both databases. Some tests use a malicious relay.
/// </summary>
public sealed class PeopleContract
{
    private const string Payload = "DROP TABLE orders_of_2019";

    private static object Question(string title = "Delete the orders?") =>
        new
        {
            title,
            description = "Nobody has read them since March.",
            payload = new { sql = Payload, rows = 12345678901234567890UL },
            options = new[] { "now", "at night" },
            expires_in_hours = 8,
        };

    private sealed record Place(RelayNode Relay, TestServer Server, Asking Asking, JoinedPlane Plane) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Server.DisposeAsync();
            await Relay.DisposeAsync();
        }

        /// <summary>A run that asks, and who has the link to its question.</summary>
        public async Task<(string Run, string Id, Person Person)> AskAsync(object? question = null)
        {
            var (run, _, id) = await Asking.WaitingAsync(question ?? Question());
            return (run, id, await PersonAsync(id));
        }

        public async Task<Person> PersonAsync(string id)
        {
            var shown = await Server.GetAsync("/api/v1/approvals/" + id, await Asking.DeciderAsync());
            return new Person(Relay, PageLink.TryParse(shown.String("request_url"))!);
        }
    }

    private static async Task<Place> StartAsync(
        Backend backend,
        string? postgres = null,
        Action<PosternOptions>? set = null
    )
    {
        var relay = await RelayNode.StartAsync(backend);
        var server = await ServerAsync(backend, postgres, set);
        var code = await relay.CodeAsync();
        var plane = await server
            .App.Services.GetRequiredService<PlaneEnrolment>()
            .JoinAsync(code.ToString(), "office", default);
        await ConnectedAsync(server);
        return new Place(relay, server, await Asking.PrepareAsync(server), plane);
    }

    private static Task<TestServer> ServerAsync(
        Backend backend,
        string? postgres = null,
        Action<PosternOptions>? set = null
    ) =>
        TestServer.StartAsync(
            backend,
            o =>
            {
                o.Relay.DangerousPlainHttp = true;
                set?.Invoke(o);
            },
            postgres
        );

    private static Task ConnectedAsync(TestServer server) =>
        WaitFor.TrueAsync(
            async () =>
                (await server.GetAsync("/api/v1/relay")).Json.GetProperty("data") is var all
                && all.GetArrayLength() > 0
                && all[0].GetProperty("connection").GetProperty("holds").GetBoolean(),
            what: "the relay is connected"
        );

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_person_answers_through_a_relay_that_reads_nothing(Backend backend)
    {
        await using var place = await StartAsync(backend);
        var (run, id, person) = await place.AskAsync();
        Assert.Equal(place.Plane.Server + "approve", person.Link.Url);
        var question = await person.QuestionAsync();
        Assert.Equal(("p", "Delete the orders?"), (question.Agent, question.Title));
        Assert.Contains("12345678901234567890", question.Payload, StringComparison.Ordinal);
        Assert.Equal(["now", "at night"], question.Options.Select(o => o.Label));
        var shown = await place.Server.GetAsync("/api/v1/approvals/" + id);
        Assert.Equal(shown.String("payload_hash"), question.PayloadHash);

        var nonce = Person.NewNonce();
        var said = new
        {
            decision = "approved",
            option = "at night",
            comment = "Go on, in the night.",
            payload_hash = question.PayloadHash,
            at = "2026-11-28T03:00:00Z",
            nonce,
        };
        var body = person.Seal(said, nonce);
        var answer = await person.SendAsync(body);
        Assert.True(answer.Status == 200, answer.ToString());
        var outcome = person.OutcomeOf(answer);
        Assert.Equal(("approved", nonce), (outcome.Status, outcome.Nonce));
        Assert.Equal("Approved on this page.", outcome.Words);
        var kept = await place.Asking.StatusAsync(run);
        Assert.Equal("approved", kept.GetProperty("status").GetString());
        Assert.Equal("Go on, in the night.", kept.GetProperty("feedback").GetString());
        Assert.Equal("at night", kept.GetProperty("response").GetProperty("option").GetString());

        // The page ends with the outcome, and a person who comes later sees it. The same bytes again are a repeat.
        var end = await person.EndAsync();
        Assert.Equal(("approved", "Go on, in the night."), (end.Status, end.Feedback));
        var late = await person.AnswerAsync(question, "rejected");
        Assert.Equal((410, "page_ended"), (late.Status, late.String("code")));
        var direct = await place.Server.SendAsync(
            HttpMethod.Post,
            $"/relay/v1/answers/{person.Link.Plane}/{person.Link.Page}",
            null,
            body
        );
        Assert.Equal(200, direct.Status);
        Assert.Equal("approved", person.OutcomeOf(direct).Status);
        var events = await place.Asking.EventsAsync(run);
        Assert.Equal(1, events.Count(e => e.GetProperty("type").GetString() == "approval_decided"));

        // The data on the relay's disk opens nothing.
        var disk = await DumpAsync(place.Relay);
        Assert.Contains(person.Link.Page, disk, StringComparison.Ordinal);
        foreach (
            var secret in new[] { person.Link.Secret, Payload, "Delete the orders", "since March", "in the night", id }
        )
            Assert.DoesNotContain(secret, disk, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Every value of every table of the relay, bytes as Latin-1.</summary>
    private static async Task<string> DumpAsync(RelayNode relay)
    {
        var all = new StringBuilder();
        foreach (
            var table in (string[])
                [
                    "relay_plane",
                    "relay_request",
                    "relay_page",
                    "relay_page_room",
                    "relay_connection",
                    "relay_network",
                    "relay_nonce",
                    "audit",
                ]
        )
        foreach (
            var row in await relay.Database.ReadAsync(tx =>
                tx.ListAsync(
                    $"SELECT * FROM {table}",
                    r =>
                        string.Join(
                            ' ',
                            Enumerable
                                .Range(0, r.FieldCount)
                                .Select(i =>
                                    r.GetValue(i) is byte[] bytes
                                        ? Encoding.Latin1.GetString(bytes)
                                        : r.GetValue(i).ToString()
                                )
                        )
                )
            )
        )
            all.AppendLine(row);
        return all.ToString();
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task One_of_two_simultaneous_people_wins_and_the_other_learns_it(Backend backend)
    {
        await using var place = await StartAsync(backend);
        for (var round = 0; round < 3; round++)
        {
            var (run, _, person) = await place.AskAsync();
            var question = await person.QuestionAsync();
            var answers = await Task.WhenAll(
                Enumerable
                    .Range(0, 6)
                    .Select(i => person.AnswerAsync(question, i % 2 == 0 ? "approved" : "rejected", "by " + i))
            );
            var status = (await place.Asking.StatusAsync(run)).GetProperty("status").GetString();
            foreach (var (answer, i) in answers.Select((a, i) => (a, i)))
            {
                // A person who came after the end reads the outcome there.
                var outcome = answer.Json.TryGetProperty("sealed", out _)
                    ? person.OutcomeOf(answer)
                    : await person.EndAsync();
                Assert.Equal(status, outcome.Status);
                var isSame = (i % 2 == 0) == (status == "approved");
                Assert.Contains(answer.Status, isSame ? [200, 410] : (int[])[409, 410]);
            }
            var events = await place.Asking.EventsAsync(run);
            Assert.Equal(1, events.Count(e => e.GetProperty("type").GetString() == "approval_decided"));
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task An_answer_that_is_not_of_this_question_decides_nothing(Backend backend)
    {
        await using var place = await StartAsync(backend);
        var (run, _, person) = await place.AskAsync();
        var (_, _, other) = await place.AskAsync(Question("Another one?"));
        var question = await person.QuestionAsync();
        var another = await other.QuestionAsync();
        var nonce = Person.NewNonce();

        // Wrong secret, another question's secret, another nonce outside, an altered letter.
        var stranger = new Person(place.Relay, person.Link with { Secret = new string('A', 43) });
        Assert.Null(stranger.TryOpen(PageSeal.Question, (await person.GetAsync()).Json));
        Assert.Equal(401, (await stranger.AnswerAsync(question, "approved")).Status);
        var swapped = new Person(place.Relay, person.Link with { Secret = other.Link.Secret });
        Assert.Equal(401, (await swapped.AnswerAsync(question, "approved")).Status);
        var said = Person.Said(question.PayloadHash, "approved", nonce);
        var body = JsonSerializer.SerializeToElement(person.Seal(said, nonce));
        var sealedText = body.GetProperty("sealed").GetString()!;
        var renamed = await person.SendAsync(new { nonce = Person.NewNonce(), @sealed = sealedText });
        Assert.Equal(401, renamed.Status);
        var bytes = Base64Url.DecodeFromChars(sealedText);
        bytes[100] ^= 1;
        var altered = await person.SendAsync(new { nonce, @sealed = Base64Url.EncodeToString(bytes) });
        Assert.Equal(401, altered.Status);
        // The answer to one question, sent to the other.
        Assert.Equal(401, (await other.SendAsync(body)).Status);

        // Sealed rightly, but wrong inside: each fault names its field.
        foreach (
            var (inside, field) in new (object, string)[]
            {
                (new { payload_hash = question.PayloadHash, nonce }, "decision"),
                (Person.Said(question.PayloadHash, "expired", nonce), "decision"),
                (Person.Said(question.PayloadHash, "yes", nonce), "decision"),
                (Person.Said(question.PayloadHash, "approved", Person.NewNonce()), "nonce"),
                (Person.Said(question.PayloadHash, "approved", nonce, new string('x', 4001)), "comment"),
                (
                    new
                    {
                        decision = "approved",
                        option = "never",
                        payload_hash = question.PayloadHash,
                        nonce,
                    },
                    "option"
                ),
                (new[] { 1 }, "object"),
            }
        )
        {
            var wrong = await person.SendAsync(person.Seal(inside, nonce));
            Assert.True(wrong.Status == 400, $"{field}: {wrong}");
            Assert.Contains(field, wrong.Text, StringComparison.Ordinal);
        }

        // Another hash, and none: the person was shown something else.
        foreach (var hash in new[] { another.PayloadHash![..^1] + "x", null })
        {
            var mismatch = await person.SendAsync(person.Seal(Person.Said(hash, "approved", nonce), nonce));
            Assert.Equal(409, mismatch.Status);
            Assert.Equal("pending", person.OutcomeOf(mismatch).Status);
        }
        Assert.Equal("pending", (await place.Asking.StatusAsync(run)).GetProperty("status").GetString());

        // A question without a payload has no hash, so a hash must be that of another question.
        var (bare, _, plain) = await place.AskAsync(new { title = "Just so?" });
        var simple = await plain.QuestionAsync();
        Assert.Null(simple.PayloadHash);
        var odd = await plain.SendAsync(plain.Seal(Person.Said("abc", "approved", nonce), nonce));
        Assert.Equal((409, "pending"), (odd.Status, plain.OutcomeOf(odd).Status));
        Assert.Equal(200, (await plain.AnswerAsync(simple, "rejected", "No.")).Status);
        Assert.Equal("rejected", (await place.Asking.StatusAsync(bare)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task While_the_server_is_away_the_question_opens_and_the_answer_waits()
    {
        var database = PostgresServer.NewDatabase();
        var place = await StartAsync(Backend.Postgres, database);
        await using var relay = place.Relay;
        var (run, _, person) = await place.AskAsync();
        await person.QuestionAsync();
        await place.Server.DisposeAsync();
        var question = await person.QuestionAsync();
        var stored = await person.AnswerAsync(question, "approved", "While you slept.", ("Prefer", "respond-async"));
        Assert.Equal(202, stored.Status);
        await using var back = await ServerAsync(Backend.Postgres, database);
        Answer receipt = null!;
        var at = new Uri(stored.Header("Location")!).AbsolutePath;
        await WaitFor.TrueAsync(async () =>
            (receipt = await place.Relay.SendAsync(HttpMethod.Get, at + "?wait=5")).String("status") == "answered"
        );
        Assert.Equal(
            ("approved", "While you slept."),
            (person.OutcomeOf(receipt).Status, person.OutcomeOf(receipt).Feedback)
        );
        Assert.Equal("*", receipt.Header("Access-Control-Allow-Origin"));
        var kept = await back.GetAsync($"/api/v1/executions/{run}/approval-status", place.Server.RootKey);
        Assert.Equal("approved", kept.String("status"));
        Assert.Equal("approved", (await person.EndAsync()).Status);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Decided_elsewhere_expired_or_ended_the_page_says_so(Backend backend)
    {
        await using var place = await StartAsync(backend);
        var (_, id, person) = await place.AskAsync();
        await person.QuestionAsync();
        await place.Asking.DecideAsync(id, "rejected", "By the service.");
        Assert.Equal("Rejected through the approval service default.", (await person.EndAsync()).Words);

        var (run, _, cancelled) = await place.AskAsync();
        await cancelled.QuestionAsync();
        await place.Server.PostAsync($"/api/v1/runs/{run}/cancel", new { });
        Assert.Equal("cancelled", (await cancelled.EndAsync()).Status);

        var (_, _, brief) = await place.AskAsync(new { title = "Quick?", expires_in_hours = 0.0005 });
        Assert.Equal("expired", (await brief.EndAsync()).Status);

        // An answer that was stored before and comes afterwards: it is over, and the outcome says how.
        foreach (var (late, status) in new[] { (brief, "expired"), (cancelled, "cancelled") })
        {
            var nonce = Person.NewNonce();
            var answer = await place.Server.SendAsync(
                HttpMethod.Post,
                $"/relay/v1/answers/{late.Link.Plane}/{late.Link.Page}",
                null,
                late.Seal(Person.Said(null, "approved", nonce), nonce)
            );
            Assert.Equal((410, status), (answer.Status, late.OutcomeOf(answer).Status));
        }
    }

    [Fact]
    public async Task The_doctor_says_whose_page_it_is_and_what_the_relay_lacks()
    {
        await using var place = await StartAsync(Backend.Sqlite);
        var (_, _, person) = await place.AskAsync();
        await person.QuestionAsync();
        Assert.Contains(
            await LinesAsync(_ => { }),
            l => l.Contains("which the relay itself serves", StringComparison.Ordinal)
        );
        Assert.Contains(
            await LinesAsync(o => o.Relay.PageUrl = "https://people.example/approve.html"),
            l => l.Contains("https://people.example/approve.html, which is not of the relay", StringComparison.Ordinal)
        );
        Assert.Contains(
            await LinesAsync(o => o.PublicUrl = "https://agents.example"),
            l => l.Contains("this server's own page", StringComparison.Ordinal)
        );
        await place.Server.Database.WriteAsync(tx =>
            tx.ExecuteAsync("UPDATE joined_page SET due_at = $1, refused_at = 1", long.MaxValue)
        );
        Assert.Contains(
            await LinesAsync(_ => { }),
            l => l.Contains("had no room for 1 questions", StringComparison.Ordinal)
        );

        async Task<List<string>> LinesAsync(Action<PosternOptions> set)
        {
            var options = new PosternOptions();
            options.Relay.DangerousPlainHttp = true;
            set(options);
            var master = MasterKey.FromText("a master key for the tests, long enough");
            var lines = new List<string>();
            await foreach (
                var line in Postern.Hosting.PlaneDoctor.CheckAsync(place.Server.Database, master, options, default)
            )
                lines.Add(line.Message);
            return lines;
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Asked_before_a_relay_is_joined_it_is_there_afterwards(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        await using var server = await ServerAsync(backend);
        var asking = await Asking.PrepareAsync(server);
        var (_, _, id) = await asking.WaitingAsync(Question());
        Assert.StartsWith("/approvals/", await asking.LinkAsync(id), StringComparison.Ordinal);
        var code = await relay.CodeAsync();
        var enrolment = server.App.Services.GetRequiredService<PlaneEnrolment>();
        var plane = await enrolment.JoinAsync(code.ToString(), "office", default);
        await ConnectedAsync(server);
        var place = new Place(relay, server, asking, plane);
        var person = await place.PersonAsync(id);
        Assert.Equal("Delete the orders?", (await person.QuestionAsync()).Title);

        // After the revocation, links are this server's own again, and its pages are gone.
        Assert.Equal(204, (await relay.AdminAsync(HttpMethod.Delete, "/relay/v1/planes/" + plane.Plane)).Status);
        Assert.Equal(404, (await person.GetAsync()).Status);
        Assert.Equal(404, (await person.SendAsync(new { nonce = new string('A', 22), @sealed = "AAAA" })).Status);
        await WaitFor.TrueAsync(async () =>
            (await asking.LinkAsync(id)).StartsWith("/approvals/", StringComparison.Ordinal)
        );
        await enrolment.LeaveAsync(plane, default);
        var rows = await server.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT COUNT(*) FROM joined_page", r => r.GetInt64(0))
        );
        Assert.Equal(0, rows);
    }

    [Fact]
    public async Task Where_pages_are_not_wanted_nothing_of_a_question_leaves()
    {
        await using var place = await StartAsync(
            Backend.Sqlite,
            set: o => o.Relay.Doors = [RelayClass.Inbound, RelayClass.Approvals, RelayClass.Callbacks]
        );
        var (_, _, id) = await place.Asking.WaitingAsync(Question());
        Assert.StartsWith("/approvals/", await place.Asking.LinkAsync(id), StringComparison.Ordinal);
        Assert.Equal(0, await place.Relay.CountAsync("relay_page"));

        await using var published = await StartAsync(
            Backend.Sqlite,
            set: o => (o.PublicUrl, o.Relay.PageUrl) = ("https://agents.example", "https://people.example/approve.html")
        );
        var (_, _, person) = await published.AskAsync();
        Assert.Equal("https://people.example/approve.html", person.Link.Url);
        await person.QuestionAsync();
    }

    [Fact]
    public async Task A_relay_that_replays_an_old_version_or_another_page_is_noticed()
    {
        await using var place = await StartAsync(Backend.Sqlite);
        var (_, _, person) = await place.AskAsync();
        var (_, _, other) = await place.AskAsync(Question("Another one?"));
        await person.QuestionAsync();
        await other.QuestionAsync();
        var first = (await person.GetAsync()).Json;
        // As another version, as the other question's, as an outcome: none of them opens.
        await WriteAsync("UPDATE relay_page SET version = 9 WHERE page = $1", person.Link.Page);
        Assert.Null(person.TryOpen(PageSeal.Question, (await person.GetAsync()).Json));
        Assert.Null(other.TryOpen(PageSeal.Question, first));
        Assert.Null(person.TryOpen(PageSeal.Outcome, first));
        // The question again, after its end: who answers it is told by the server itself.
        await WriteAsync("UPDATE relay_page SET version = 1 WHERE page = $1", person.Link.Page);
        var question = await person.QuestionAsync();
        Assert.Equal(200, (await person.AnswerAsync(question, "rejected")).Status);
        await person.EndAsync();
        await WriteAsync("UPDATE relay_page SET ended_at = NULL, version = 1 WHERE page = $1", person.Link.Page);
        var late = await person.AnswerAsync(question, "approved");
        Assert.Equal((409, "rejected"), (late.Status, person.OutcomeOf(late).Status));

        Task<int> WriteAsync(string sql, string page) =>
            place.Relay.Database.WriteAsync(tx => tx.ExecuteAsync(sql, page));
    }

    [Fact]
    public async Task A_relay_without_room_gets_the_question_later()
    {
        await using var place = await StartAsync(Backend.Sqlite);
        var (_, _, first) = await place.AskAsync();
        await first.QuestionAsync();
        await SetAsync(RelayLimits.Pages);
        var (_, _, second) = await place.AskAsync(Question("The second?"));
        var store = place.Server.App.Services.GetRequiredService<Postern.Relay.Plane.PageStore>();
        await WaitFor.TrueAsync(async () => (await store.CountAsync(place.Plane.Plane)).Refused == 1);
        Assert.Equal(404, (await second.GetAsync()).Status);
        await SetAsync(1);
        await place.Server.Database.WriteAsync(async tx =>
        {
            tx.Notify(Postern.Relay.Plane.PageStore.Topic);
            return await tx.ExecuteAsync("UPDATE joined_page SET due_at = 1 WHERE due_at IS NOT NULL");
        });
        Assert.Equal("The second?", (await second.QuestionAsync()).Title);

        Task<int> SetAsync(long pages) =>
            place.Relay.Database.WriteAsync(tx => tx.ExecuteAsync("UPDATE relay_page_room SET pages = $1", pages));
    }

    [Fact]
    public async Task Hostile_text_and_what_is_too_large_cannot_fool_who_reads()
    {
        await using var place = await StartAsync(Backend.Sqlite);
        var (_, _, person) = await place.AskAsync(
            new { title = "Pay \u202e001\u2066 €\u200b?", payload = "<script>alert(1)</script>\u0007" }
        );
        var question = await person.QuestionAsync();
        Assert.Equal("Pay \\u{202e}001\\u{2066} €\\u{200b}?", question.Title);
        Assert.Equal("<script>alert(1)</script>\\u{0007}", question.Payload);
        // Indentation that would make a payload too large is not added; a payload that does not fit is withheld, and
        // the page says so.
        var deep = "[" + string.Join(',', Enumerable.Repeat("[[[[[[[[[[1]]]]]]]]]]", 11_000)) + "]";
        var (_, _, wide) = await place.AskAsync(
            new { title = "Wide?", payload = JsonSerializer.Deserialize<JsonElement>(deep) }
        );
        Assert.Equal(deep, (await wide.QuestionAsync()).Payload);
        var hidden = $"{{\"title\":\"Large?\",\"payload\":\"{new string('\u200b', 80_000)}\"}}";
        var (_, _, large) = await place.AskAsync(hidden);
        var withheld = await large.QuestionAsync();
        Assert.Null(withheld.Payload);
        Assert.True(withheld.PayloadWithheld);
    }
}
