using System.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Real senders' text: every route for JSON understands a body or refuses it, the same on both databases, and
/// everything that was accepted can be read afterwards.
/// </summary>
public sealed class TextContract(TextContract.Worlds worlds) : IClassFixture<TextContract.Worlds>
{
    /// <summary>How often a door gets new surroundings after a body has changed something.</summary>
    private const int MostScenes = 12;

    private static readonly string[] Lists =
    [
        "/api/v1/sessions?page[size]=100",
        "/api/v1/runs?limit=100",
        "/api/v1/agents",
        "/api/v1/workflows",
        "/api/v1/keys",
        "/api/v1/approvals",
        "/api/v1/approval-services",
        "/api/v1/webhook-endpoints",
        "/api/v1/deliveries",
        "/api/v1/events",
        "/api/v1/audit",
        "/api/triggers",
        "/api/v1/callback-secrets",
    ];

    public sealed class Worlds : IAsyncLifetime
    {
        internal TimeWorld Sqlite { get; private set; } = null!;

        internal TimeWorld Postgres { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Sqlite = await TimeWorld.StartAsync(Backend.Sqlite);
            Postgres = await TimeWorld.StartAsync(Backend.Postgres);
        }

        public async ValueTask DisposeAsync()
        {
            await Sqlite.DisposeAsync();
            await Postgres.DisposeAsync();
        }
    }

    /// <summary>
    /// The doors of the document that take JSON, and appends, whose text is JSON where it is a message.
    /// </summary>
    public static TheoryData<string, string, string> Rows()
    {
        var rows = new TheoryData<string, string, string>();
        using var document = JsonDocument.Parse(File.ReadAllBytes(Repository.File("openapi.json")));
        foreach (var path in document.RootElement.GetProperty("paths").EnumerateObject())
        foreach (var method in path.Value.EnumerateObject())
        {
            if (!method.Value.TryGetProperty("requestBody", out var body))
                continue;
            var content = body.GetProperty("content").EnumerateObject().First();
            if (content.Name != "application/json" && !path.Name.EndsWith("/append", StringComparison.Ordinal))
                continue;
            var schema = content.Value.GetProperty("schema");
            if (schema.TryGetProperty("$ref", out var component))
                schema = document
                    .RootElement.GetProperty("components")
                    .GetProperty("schemas")
                    .GetProperty(component.GetString()!.Split('/')[^1]);
            var names = schema.TryGetProperty("properties", out var known)
                ? string.Join(' ', known.EnumerateObject().Select(p => p.Name))
                : "kind payload";
            rows.Add(method.Name.ToUpperInvariant(), path.Name, names);
        }
        return rows;
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_body_is_understood_or_refused_and_never_a_fault(string method, string path, string names)
    {
        var sides = new[]
        {
            new Side(worlds.Sqlite, method, path, names),
            new Side(worlds.Postgres, method, path, names),
        };
        foreach (var side in sides)
            await side.PrepareAsync();
        for (var number = 0; number < sides[0].Bodies.Count; number++)
        {
            var answers = new List<Answer>();
            foreach (var side in sides)
                answers.Add(await side.SendAsync(side.Bodies[number]));
            var words = $"{sides[0].Bodies[number]}\n{answers[0]}\n{answers[1]}";
            Assert.True(answers.All(a => a.Status < 500) && answers[0].Status == answers[1].Status, words);
            if (answers[0].Status < 300)
                foreach (var side in sides)
                    await side.RenewAsync();
        }
        foreach (var side in sides)
            await side.ListsWorkAsync();
    }

    /// <summary>
    /// Whatever an agent answers to a dispatch: its run is accepted, or ended with a reason; the same on both
    /// databases.
    /// </summary>
    [Fact]
    public async Task An_agents_answer_is_understood_or_ends_its_run_with_a_reason()
    {
        List<OddBody> bodies =
        [
            .. OddBodies.Of("""{"status":"succeeded","output":"x"}""", ["status", "output", "failure"]),
        ];
        var ends = new List<string[]>();
        foreach (var world in new[] { worlds.Sqlite, worlds.Postgres })
            ends.Add(await EndsAsync(world, bodies));
        for (var i = 0; i < bodies.Count; i++)
            Assert.True(ends[0][i] == ends[1][i], $"{bodies[i]}\n{ends[0][i]}\n{ends[1][i]}");
        Assert.Contains("succeeded ", ends[0]);
        Assert.Contains("running ", ends[0]);
    }

    private static async Task<string[]> EndsAsync(TimeWorld world, List<OddBody> bodies)
    {
        var server = world.Server;
        await using var agent = await Receiver.StartAsync();
        agent.Handle = async http =>
        {
            using var json = JsonDocument.Parse(
                agent.Taken.Last(t => t.Headers["webhook-id"] == http.Request.Headers["webhook-id"]).Body
            );
            var body = bodies[json.RootElement.GetProperty("data").GetProperty("run").GetProperty("input").GetInt32()];
            http.Response.Headers.ContentType = body.ContentType;
            if (body.ContentEncoding is not null)
                http.Response.Headers.ContentEncoding = body.ContentEncoding;
            await http.Response.Body.WriteAsync(body.Bytes);
        };
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/answers",
            server.RootKey,
            new { kind = "http", url = agent.Url }
        );
        var runs = new List<string>();
        for (var i = 0; i < bodies.Count; i++)
            runs.Add((await server.PostAsync("/api/v1/runs", new { agent = "answers", input = i })).String("id"));
        var ends = new string[runs.Count];
        for (var i = 0; i < runs.Count; i++)
        {
            var path = "/api/v1/runs/" + runs[i];
            await WaitFor.TrueAsync(
                async () =>
                    (await server.GetAsync(path + "/events"))
                        .Json.GetProperty("data")
                        .EnumerateArray()
                        .Any(e =>
                            e.GetProperty("type").GetString() == "dispatch"
                            && e.GetProperty("outcome").GetString() == "accepted"
                        ),
                TimeSpan.FromSeconds(20),
                $"{i} {bodies[i]}"
            );
            var run = (await server.GetAsync(path)).Json;
            ends[i] = $"{run.GetProperty("phase").GetString()} {run.GetProperty("reason").GetString()}";
            Assert.True(
                ends[i] is "running " or "succeeded "
                    || ends[i].Length > 20
                    || ends[i].StartsWith("cancelled", StringComparison.Ordinal),
                $"{bodies[i]}: {ends[i]}"
            );
            // Its place is for the next.
            if (ends[i] == "running ")
                await server.PostAsync(path + "/cancel", null);
        }
        return ends;
    }

    /// <summary>
    /// Whatever a sender writes to a trigger's URL: it is understood and its prompt is not empty, or it is refused.
    /// Only a byte order mark with nothing behind it is empty.
    /// </summary>
    [Fact]
    public async Task A_webhook_is_understood_or_refused_and_never_empty()
    {
        var bodies = OddBodies
            .Of("""{"title":"It breaks","user":{"login":"ada"},"payload":"x"}""", ["title", "user", "none"])
            .ToList();
        var ends = new List<string[]>();
        foreach (var world in new[] { worlds.Sqlite, worlds.Postgres })
            ends.Add(await PromptsAsync(world.Server, bodies));
        for (var i = 0; i < bodies.Count; i++)
            Assert.True(ends[0][i] == ends[1][i], $"{bodies[i]}\n{ends[0][i]}\n{ends[1][i]}");
        Assert.Contains(ends[0], end => end.StartsWith("400", StringComparison.Ordinal));
        Assert.Contains(ends[0], end => end.StartsWith("200 It breaks", StringComparison.Ordinal));
    }

    private static async Task<string[]> PromptsAsync(TestServer server, List<OddBody> bodies)
    {
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/hooked", server.RootKey, new { kind = "pull" });
        await server.PostAsync(
            "/api/triggers/user/odd/hook",
            new
            {
                agent = "hooked",
                promptTemplate = "{{body.title ?? body.user.login ?? bodyJson}}",
                sessionMode = "byKey",
                sessionKey = "{{body.user.login}}",
                filter = new { body = new[] { new { path = "title", notEquals = "never" } } },
                maxInFlight = 1000,
            }
        );
        var ends = new string[bodies.Count];
        for (var i = 0; i < bodies.Count; i++)
        {
            var (odd, body) = (bodies[i], new ByteArrayContent(bodies[i].Bytes));
            body.Headers.TryAddWithoutValidation("Content-Type", odd.ContentType);
            if (odd.ContentEncoding is { } coding)
                body.Headers.TryAddWithoutValidation("Content-Encoding", coding);
            using var response = await server.Http.PostAsync(server.Url + "/inbound/user/odd/hook", body);
            var answer = new Answer(response, await response.Content.ReadAsByteArrayAsync());
            Assert.True(answer.Status is 200 or 400 or 413 or 415, $"{odd}\n{answer}");
            ends[i] = $"{answer.Status} {(answer.Status == 200 ? await PromptAsync(answer) : answer.Text)}";
            // A mark and nothing behind it is empty.
            Assert.True(odd.Bytes.Length <= 3 || ends[i].Length > 4, $"{odd}\n{ends[i]}");
        }
        Assert.Equal(200, (await server.GetAsync("/api/triggers/user/odd/hook/requests?limit=200")).Status);
        return ends;

        async Task<string> PromptAsync(Answer taken)
        {
            var id = taken.Json.GetProperty("data").GetProperty("requestId").GetString();
            var capture = (await server.GetAsync("/api/triggers/user/odd/hook/requests/" + id)).Json.GetProperty(
                "data"
            );
            var session = capture.GetProperty("cloudAgentSessionId").GetString();
            var messages = (await server.GetAsync($"/api/v1/sessions/{session}/transcript?limit=1")).Json;
            return messages
                .GetProperty("messages")
                .EnumerateArray()
                .Last()
                .GetProperty("content")[0]
                .GetProperty("text")
                .GetString()!;
        }
    }

    /// <summary>Everything that came is stored, except what no text can contain.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Nothing_is_lost_around_what_was_odd(Backend backend)
    {
        var server = (backend == Backend.Sqlite ? worlds.Sqlite : worlds.Postgres).Server;
        const string odd =
            """{"k\ud83d":"all \ud83d of\u0000 it","\u0000n":["\udc00",1e400,123456789012345678901234567890]}""";
        const string kept = """{"k\ufffd":"all \ufffd of it","n":["\ufffd",1e400,123456789012345678901234567890]}""";
        var name = "odd-" + backend;
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/odd",
            server.RootKey,
            new { kind = "pull", idleSeconds = 3600 }
        );

        var session = await PostAsync(
            201,
            "/api/v1/sessions",
            """{"type":"chat","externalId":"NAME","taskIdentifier":"odd","metadata":ODD,"triggerConfig":"""
                + """{"basePayload":ODD}}"""
        );
        Same(kept, session.Json.GetProperty("metadata"));
        Same(kept, session.Json.GetProperty("triggerConfig").GetProperty("basePayload"));
        var patched = await server.SendAsync(
            HttpMethod.Patch,
            "/api/v1/sessions/" + name,
            server.RootKey,
            Filled("""{"metadata":{"again":ODD}}""")
        );
        Same(kept, patched.Json.GetProperty("metadata").GetProperty("again"));

        await PostAsync(
            200,
            $"/realtime/v1/sessions/{name}/in/append",
            """{"kind":"message","payload":{"chatId":"x","trigger":"submit-message","message":"""
                + """{"role":"user","parts":[{"type":"text","text":"all \ud83d of\u0000 it"},"""
                + """{"type":"data-x","data":ODD}]}}}"""
        );
        await PostAsync(
            201,
            $"/sessions/{name}/messages",
            """{"role":"user","content":[{"type":"text","text":"all \ud83d of\u0000 it"},"""
                + """{"type":"data-x","data":ODD}]}"""
        );
        var messages = (await server.GetAsync($"/sessions/{name}/history")).Json.GetProperty("messages");
        foreach (var message in messages.EnumerateArray().Take(2))
        {
            Assert.Equal("all \ufffd of it", message.GetProperty("content")[0].GetProperty("text").GetString());
            Same(kept, message.GetProperty("content")[1].GetProperty("data"));
        }

        // A channel stores it unchanged; in the transcript the halves from two deltas become one character.
        await PostAsync(
            200,
            $"/realtime/v1/sessions/{name}/out/records",
            """{"records":[{"data":{"type":"text-delta","id":"0","delta":"join \ud83d"}},{"data":"""
                + """{"type":"text-delta","id":"0","delta":"\ude00\u0000ed \ud83d"}},{"data":"""
                + """{"type":"data-x","data":ODD}}]}"""
        );
        await PostAsync(
            200,
            $"/realtime/v1/sessions/{name}/out/records",
            """{"records":[{"headers":{"trigger-control":"turn-complete"}}]}"""
        );
        var answer = (await server.GetAsync($"/sessions/{name}/history"))
            .Json.GetProperty("messages")
            .EnumerateArray()
            .Last()
            .GetProperty("content");
        Assert.Equal("join \U0001F600ed \ufffd", answer[0].GetProperty("text").GetString());
        Same(kept, answer[1].GetProperty("data"));

        var run = await PostAsync(202, "/api/v1/runs", """{"agent":"odd","input":ODD,"metadata":ODD}""");
        Same(kept, run.Json.GetProperty("metadata"));
        var path = "/api/v1/runs/" + run.String("id");
        await WaitFor.TrueAsync(async () =>
            (await server.PostAsync("/api/v1/agents/odd/claim", new { max = 100 }))
                .Json.GetProperty("data")
                .EnumerateArray()
                .Any(c => c.GetProperty("run").GetProperty("id").GetString() == run.String("id"))
        );
        await PostAsync(200, path + "/status", """{"status":"succeeded","output":ODD,"artifacts":{"a":ODD}}""");
        var done = (await server.GetAsync(path)).Json;
        Same(kept, done.GetProperty("input"));
        Same(kept, done.GetProperty("output"));
        Same(kept, done.GetProperty("artifacts").GetProperty("a"));

        async Task<Answer> PostAsync(int status, string door, string body)
        {
            var given = await server.PostAsync(door, Filled(body));
            Assert.True(given.Status == status, $"{door}: {given}");
            return given;
        }

        string Filled(string body) =>
            body.Replace("ODD", odd, StringComparison.Ordinal).Replace("NAME", name, StringComparison.Ordinal);
    }

    private static void Same(string expected, JsonElement value)
    {
        using var json = JsonDocument.Parse(expected);
        Assert.Equal(JsonSerializer.Serialize(json.RootElement), JsonSerializer.Serialize(value));
    }

    /// <summary>One database's share of a door.</summary>
    private sealed class Side(TimeWorld world, string method, string path, string names)
    {
        private readonly Door _door = world.Server.Doors.Table.Single(d => d.Method == method && d.Path == path);
        private TimeScene _scene = null!;
        private DoorRequest _request = null!;
        private IReadOnlyList<(string Name, string Value)> _headers = [];
        private int _scenes;

        /// <summary>The same on both sides, except for the ids that they contain.</summary>
        public IReadOnlyList<OddBody> Bodies { get; private set; } = [];

        private string Valid =>
            _request.Body switch
            {
                null => "{}",
                byte[] bytes => Encoding.UTF8.GetString(bytes),
                string text => text,
                var json => JsonSerializer.Serialize(json),
            };

        public async Task PrepareAsync()
        {
            if (_scenes++ > 0)
                await _scene.ClearAsync();
            _scene = new TimeScene(world);
            _request = await DoorRequests.OfAsync(_door, _scene);
            Bodies = [.. OddBodies.Of(Valid, names.Split(' '))];
            var ending = Ending.Of(_door).First();
            // Otherwise the root key would be rotated for each. Requests without another credential use the
            // administrator's key.
            _headers =
                (_door.Credentials & Credentials.Key) != 0
                    ?
                    [
                        (
                            "Authorization",
                            "Bearer "
                                + (
                                    _door.Authorization.Description.StartsWith("the root key", StringComparison.Ordinal)
                                        ? world.Server.RootKey
                                        : world.Admin
                                )
                        ),
                    ]
                    : [.. (await ending.ExtendTurnAsync(_scene, _request)).Headers];
        }

        public Task RenewAsync() => _scenes < MostScenes ? PrepareAsync() : Task.CompletedTask;

        public async Task<Answer> SendAsync(OddBody body)
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), _request.Path);
            request.Content = new ByteArrayContent(body.Bytes);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", body.ContentType);
            if (body.ContentEncoding is not null)
                request.Content.Headers.TryAddWithoutValidation("Content-Encoding", body.ContentEncoding);
            if ((_door.Credentials & Credentials.Signature) != 0)
            {
                var signed = Convert.ToHexStringLower(
                    System.Security.Cryptography.HMACSHA256.HashData(
                        Encoding.UTF8.GetBytes(TimeWorld.Secret),
                        body.Bytes
                    )
                );
                request.Headers.TryAddWithoutValidation("X-Hax-Signature", signed);
            }
            else
                foreach (var (name, value) in _headers)
                    request.Headers.TryAddWithoutValidation(name, value);
            using var response = await world.Server.Http.SendAsync(request);
            return new Answer(response, await response.Content.ReadAsByteArrayAsync());
        }

        public async Task ListsWorkAsync()
        {
            foreach (var list in Lists)
            {
                var answer = await world.Server.GetAsync(list, world.Admin);
                Assert.True(answer.Status == 200, $"{list}: {answer}");
            }
            var sessions = await world.Server.GetAsync("/api/v1/sessions?page[size]=100", world.Admin);
            foreach (var session in sessions.Json.GetProperty("data").EnumerateArray().Take(40))
            {
                var id = session.GetProperty("id").GetString();
                foreach (
                    var of in (string[])
                        [
                            $"/api/v1/sessions/{id}",
                            $"/api/v1/sessions/{id}/transcript",
                            $"/sessions/{id}/history",
                            $"/realtime/v1/sessions/{id}/in/records",
                            $"/realtime/v1/sessions/{id}/out/records",
                        ]
                )
                {
                    var answer = await world.Server.GetAsync(of, world.Admin);
                    Assert.True(answer.Status == 200, $"{of}: {answer}");
                }
            }
            var runs = await world.Server.GetAsync("/api/v1/runs?limit=40", world.Admin);
            foreach (var run in runs.Json.GetProperty("data").EnumerateArray())
            foreach (var of in (string[])["", "/events"])
            {
                var answer = await world.Server.GetAsync(
                    $"/api/v1/runs/{run.GetProperty("id").GetString()}{of}",
                    world.Admin
                );
                Assert.True(answer.Status == 200, $"run{of}: {answer}");
            }
            await _scene.ClearAsync();
        }
    }
}
