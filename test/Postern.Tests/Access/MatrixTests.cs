using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Access;

/// <summary>
/// The matrix, made from the door table, so that a new route is included automatically. Each door is tried without a
/// credential, with every other kind of valid credential, and with a wrong one of the right kind.
/// </summary>
public sealed class MatrixTests(MatrixTests.World world) : IClassFixture<MatrixTests.World>
{
    public sealed class World : IAsyncLifetime
    {
        internal TestServer Server { get; private set; } = null!;

        internal string Personal { get; private set; } = "";

        internal string Token { get; private set; } = "";

        internal string CallbackSecret { get; private set; } = "";

        internal string CallbackToken { get; private set; } = "";

        internal string RunToken { get; private set; } = "";

        internal string Link { get; private set; } = "";

        internal ConsoleCookie Console { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Server = await TestServer.StartAsync();
            await Server.StartSessionAsync("matrix");
            var made = await Server.PostAsync("/api/v1/keys", new { name = "ada@example.com", kind = "pat" });
            Personal = made.String("key");
            Token = await Server.TokenAsync("admin");
            CallbackSecret = (await Server.PostAsync("/api/v1/callback-secrets", null)).String("secret");
            // Its agent does nothing, so that work of an earlier row is not counted in a later one.
            await Server.SendAsync(
                HttpMethod.Put,
                "/api/v1/agents/nobody-works",
                Server.RootKey,
                new { kind = "pull" }
            );
            // An inbound URL with a trigger that requires a signature: its credential.
            await Server.PostAsync(
                "/api/triggers/user/matrix/matrix",
                new
                {
                    promptTemplate = "{{body}}",
                    agent = "nobody-works",
                    webhookAuth = new { scheme = "sha256", secret = "a secret of the matrix, of 24" },
                }
            );
            await Server.PostAsync(
                "/api/triggers/org/matrix/matrix",
                new
                {
                    promptTemplate = "{{body}}",
                    agent = "nobody-works",
                    webhookAuth = new { scheme = "sha256", secret = "a secret of the matrix, of 24" },
                }
            );
            // An approval service for the signed door, and a link for the page.
            await Server.SendAsync(
                HttpMethod.Put,
                "/api/v1/approval-services/default",
                Server.RootKey,
                new { secrets = new[] { "a secret of the matrix, of 24" } }
            );
            var run = (await Server.PostAsync("/api/v1/runs", new { agent = "nobody-works" })).String("id");
            var claimed = await Server.PostAsync(
                "/api/v1/agents/nobody-works/claim",
                new { waitSeconds = 10, leaseSeconds = 3600 }
            );
            RunToken = claimed.Json.GetProperty("data")[0].GetProperty("token").GetString()!;
            var asked = await Server.PostAsync(
                $"/api/v1/executions/{run}/request-approval",
                null,
                await Server.KeyAsync("write:runs", "write:approvals")
            );
            Console = (await ConsoleCookie.OfAsync(Server, "admin")).Cookie;
            Link = asked.String("approval_request_url").Split('/')[^1];
            CallbackToken = await Server
                .App.Services.GetRequiredService<CallbackSecrets>()
                .TokenForRunAsync(await Server.ProjectAsync(), "run_none", 1);
        }

        public async ValueTask DisposeAsync() => await Server.DisposeAsync();
    }

    public static TheoryData<string, string> Rows()
    {
        var rows = new TheoryData<string, string>();
        foreach (var line in File.ReadAllLines(Repository.File("doors.txt")))
        {
            var parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (parts[2] != "Anyone")
                rows.Add(parts[0], parts[1]);
        }
        return rows;
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_door_opens_to_the_credentials_it_names_and_to_no_other(string method, string path)
    {
        var server = world.Server;
        var door = server.Doors.Table.Single(d => d.Method == method && d.Path == path);
        var target = Fill(path).Replace("{project}", await server.ProjectAsync(), StringComparison.Ordinal);
        if (method == Door.AnyMethod)
            method = "POST";
        var rows = await server.CountRowsAsync();
        var wrongKey = server.RootKey[..^8] + (server.RootKey[^8] == 'A' ? 'B' : 'A') + server.RootKey[^7..];
        var presented = new (string Kind, Credentials Credentials, (string, string)[] Headers)[]
        {
            ("nothing", 0, []),
            ("a wrong key", 0, [("Authorization", "Bearer " + wrongKey)]),
            ("a wrong token", 0, [("Authorization", "Bearer " + world.Token[..^4] + "AAAA")]),
            ("no ASCII", 0, [("Authorization", "Bearer pst_röot_kéy")]),
            ("an empty bearer", 0, [("Authorization", "Bearer ")]),
            ("basic authentication", 0, [("Authorization", "Basic cm9vdDpyb290")]),
            ("a session cookie", 0, [("Cookie", "postern=" + server.RootKey)]),
            (
                "the root key as a callback's credential",
                0,
                [("X-Callback-Secret", server.RootKey), ("X-Callback-Token", server.RootKey)]
            ),
            ("a wrong callback secret", 0, [("X-Callback-Secret", world.CallbackSecret[..^1] + "~")]),
            (
                "a callback secret, twice",
                0,
                [("X-Callback-Secret", world.CallbackSecret), ("X-Callback-Secret", world.CallbackSecret)]
            ),
            (
                "a callback token of another run",
                0,
                [("X-Callback-Token", world.CallbackToken), ("x-run-id", "run_other")]
            ),
            (
                "a callback token of another attempt",
                0,
                [("X-Callback-Token", world.CallbackToken), ("x-run-id", "run_none"), ("x-run-attempt", "2")]
            ),
            (
                "a callback token of another project",
                0,
                [
                    ("X-Callback-Token", world.CallbackToken),
                    ("x-run-id", "run_none"),
                    ("x-webhook-project", "proj_other"),
                ]
            ),
            (
                "a callback token in capitals",
                0,
                [("X-Callback-Token", world.CallbackToken.ToUpperInvariant()), ("x-run-id", "run_none")]
            ),
            ("a callback secret as a bearer", 0, [("Authorization", "Bearer " + world.CallbackSecret)]),
            (
                "a signature over other bytes",
                0,
                [
                    (
                        "X-Hub-Signature-256",
                        "sha256="
                            + Convert.ToHexStringLower(
                                System.Security.Cryptography.HMACSHA256.HashData(
                                    "a secret of the matrix, of 24"u8,
                                    "{}"u8
                                )
                            )
                    ),
                ]
            ),
            (
                "a signature",
                Credentials.Signature,
                [
                    (
                        "X-Hub-Signature-256",
                        "sha256="
                            + Convert.ToHexStringLower(
                                System.Security.Cryptography.HMACSHA256.HashData(
                                    "a secret of the matrix, of 24"u8,
                                    "{\"broken\""u8
                                )
                            )
                    ),
                ]
            ),
            (
                "a callback that is signed by its secret or its token",
                Credentials.CallbackSignature,
                [.. Signed("{\"broken\""), ("x-run-id", "run_none")]
            ),
            ("a callback that is signed about another run", 0, [.. Signed("{\"never\":\"parsed\"", "run_other:e")]),
            ("the root key as X-Internal-API-Key", Credentials.InternalKey, [("X-Internal-API-Key", server.RootKey)]),
            ("a callback secret", Credentials.CallbackSecret, [("X-Callback-Secret", world.CallbackSecret)]),
            (
                "a callback token",
                Credentials.CallbackToken,
                [("X-Callback-Token", world.CallbackToken), ("x-run-id", "run_none")]
            ),
            ("a proxy's identity, from nowhere trusted", 0, [("X-Forwarded-User", "ada")]),
            ("the root key", Credentials.Key | Credentials.Operator, [("Authorization", "Bearer " + server.RootKey)]),
            ("the root key as X-API-Key", Credentials.Key, [("X-API-Key", server.RootKey)]),
            (
                "a personal key",
                Credentials.Key | Credentials.Operator | Credentials.PersonalKey,
                [("Authorization", "Bearer " + world.Personal)]
            ),
            ("a token", Credentials.Token, [("Authorization", "Bearer " + world.Token)]),
            ("a run's token", Credentials.RunToken, [("Authorization", "Bearer " + world.RunToken)]),
            ("a run's token as X-API-Key", 0, [("X-API-Key", world.RunToken)]),
            ("a link", Credentials.Link, []),
            ("a session of the console", Credentials.Console, world.Console.Headers),
            ("a session of the console that is none", 0, [("Cookie", "postern_console=" + new string('A', 43))]),
        };
        foreach (var (kind, opens, headers) in presented)
        {
            if ((opens & door.Credentials) != 0)
                continue;
            var answer = await server.SendAsync(
                new HttpMethod(method),
                target,
                null,
                method is "GET" or "HEAD" ? null
                    : IsSealed(door) ? Unsealed
                    : "{\"never\":\"parsed\"",
                [.. headers, .. Identification(door, headers)]
            );
            if (IsSealed(door))
            {
                // Its credential is the seal of the body. Without it nobody learns whether there is a question.
                Assert.True(answer.Status == 404, $"{method} {target} with {kind}: {answer}");
                continue;
            }
            Assert.True(answer.Status == 401, $"{method} {target} with {kind}: {answer}");
            Assert.NotNull(answer.Header("WWW-Authenticate"));
        }
        Assert.Equal(rows, await server.CountRowsAsync());

        foreach (var (kind, opens, headers) in presented.Where(p => (p.Credentials & door.Credentials) != 0))
        {
            // Past authentication: the handler's answer does not matter. The body is no JSON, so it changes nothing.
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            using var request = new HttpRequestMessage(
                new HttpMethod(method),
                kind == "a link" ? path.Replace("{token}", world.Link, StringComparison.Ordinal) : target
            );
            if (method is not ("GET" or "HEAD" or "DELETE"))
                request.Content = new StringContent("{\"broken\"");
            foreach (var (name, value) in (IEnumerable<(string, string)>)[.. headers, .. Identification(door, headers)])
                request.Headers.TryAddWithoutValidation(name, value);
            using var response = await server.Http.SendAsync(
                request,
                HttpCompletionOption.ResponseHeadersRead,
                patience.Token
            );
            Assert.True(
                (int)response.StatusCode is not (401 or >= 500 and not 501),
                $"{method} {target} with {kind}: {(int)response.StatusCode}"
            );
        }
    }

    /// <summary>Signed with the callback secret and with the token of a run that does not exist.</summary>
    private (string, string)[] Signed(string body, string id = "run_none:e")
    {
        var (bytes, now) = (Encoding.UTF8.GetBytes(body), DateTimeOffset.UtcNow);
        var bySecret = StandardSigner.Sign(world.CallbackSecret, id, bytes, now);
        var byToken = StandardSigner.Sign(world.CallbackToken, id, bytes, now);
        return [.. bySecret[..2], (bySecret[2].Name, bySecret[2].Value + " " + byToken[2].Value)];
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task An_odd_spelling_of_a_path_opens_nothing(string method, string path)
    {
        var plain = Fill(path).Replace("{project}", "proj_x", StringComparison.Ordinal);
        if (method == Door.AnyMethod)
            method = "POST";
        var cut = plain.LastIndexOf('/');
        string[] spellings =
        [
            "/" + plain,
            plain.Insert(cut, "/"),
            plain.Insert(cut, "/."),
            plain.Insert(cut, "/x/.."),
            plain.Insert(cut, "/%2e%2e"),
            plain.Insert(cut, "/%2E"),
            plain.Insert(cut, "%2f"),
            plain.Insert(cut, "\\"),
            plain.Insert(cut, "%5c"),
            plain + "%00",
            plain.ToUpperInvariant(),
            plain + "/",
            plain + "X",
            "/healthz/.." + plain,
            "/docs/%2e%2e" + plain,
            plain + ";x=y",
        ];
        foreach (var spelling in spellings)
        {
            var status = await RawAsync(
                $"{method} {spelling} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
            Assert.True(status is 400 or 401 or 404 or 405, $"{method} {spelling} without a credential: {status}");
        }
    }

    [Fact]
    public async Task A_header_over_the_servers_limit_is_431_and_one_below_it_401()
    {
        Assert.Equal(
            431,
            await RawAsync(
                "GET /api/v1/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "
                    + new string('x', 100_000)
                    + "\r\n\r\n"
            )
        );
        Assert.Equal(
            401,
            await RawAsync(
                "GET /api/v1/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "
                    + new string('x', 20_000)
                    + "\r\n\r\n"
            )
        );
        Assert.Equal(
            401,
            await RawAsync(
                "GET /api/v1/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-API-Key: \u00ff\u00fe\r\n\r\n"
            )
        );
    }

    [Fact]
    public async Task A_key_in_a_url_is_refused_even_beside_a_right_one_and_flagged()
    {
        var server = world.Server;
        var answer = await server.GetAsync("/api/v1/keys?key=" + server.RootKey);
        Assert.Equal(400, answer.Status);
        Assert.Equal("credential_in_url", answer.String("code"));
        Assert.Equal(400, (await server.GetAsync("/healthz?access_token=" + world.Token, "")).Status);
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/audit?limit=200")).Text.Contains("key.exposed", StringComparison.Ordinal)
        );
        var audit = (await server.GetAsync("/api/v1/audit?limit=200")).Text;
        Assert.DoesNotContain(server.RootKey, audit, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_credentials_that_disagree_are_refused()
    {
        var server = world.Server;
        var answer = await server.GetAsync("/api/v1/keys", server.RootKey, ("X-API-Key", world.Personal));
        Assert.Equal((400, "ambiguous_credentials"), (answer.Status, answer.String("code")));
        Assert.Equal(
            200,
            (await server.GetAsync("/api/v1/keys", server.RootKey, ("X-API-Key", server.RootKey))).Status
        );
    }

    [Fact]
    public async Task Another_method_of_a_known_path_is_405_before_any_credential_and_an_unknown_path_404()
    {
        var server = world.Server;
        var session = await server.SendAsync(HttpMethod.Put, "/api/v1/sessions/x");
        Assert.Equal(
            (405, "{\"error\":\"Method not allowed\"}", "GET, PATCH"),
            (session.Status, session.Text, session.Header("Allow"))
        );
        var history = await server.SendAsync(HttpMethod.Delete, "/sessions/x/history");
        Assert.Equal((405, "GET, HEAD"), (history.Status, history.Header("Allow")));
        Assert.Equal(404, (await server.SendAsync(HttpMethod.Get, "/api/v1/sessionsX", server.RootKey)).Status);
    }

    [Fact]
    public async Task A_browser_on_any_origin_may_ask_the_session_family()
    {
        var preflight = await world.Server.SendAsync(
            HttpMethod.Options,
            "/realtime/v1/sessions/x/in/append",
            null,
            null,
            ("Origin", "https://example.com"),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "x-part-id")
        );
        Assert.Equal((204, "*"), (preflight.Status, preflight.Header("Access-Control-Allow-Origin")));
        Assert.Contains("x-part-id", preflight.Header("Access-Control-Allow-Headers"), StringComparison.Ordinal);
        var refused = await world.Server.SendAsync(
            HttpMethod.Get,
            "/api/v1/sessions/x",
            null,
            null,
            ("Origin", "https://example.com")
        );
        Assert.Equal((401, "*"), (refused.Status, refused.Header("Access-Control-Allow-Origin")));
        Assert.Null((await world.Server.GetAsync("/api/v1/keys")).Header("Access-Control-Allow-Origin"));
    }

    /// <summary>
    /// The token of the execution callback stands for these headers. Without them the request is not read.
    /// </summary>
    private static (string, string)[] Identification(Door door, (string Name, string)[] headers) =>
        door.Path == "/api/callbacks/execution" && headers.All(h => h.Name != "x-run-id")
            ? [("x-run-id", "run_none")]
            : [];

    /// <summary>An answer of the right form, but sealed with no key.</summary>
    private static string Unsealed => $$"""{"nonce":"{{new string('A', 22)}}","sealed":"{{new string('A', 120)}}"}""";

    private static bool IsSealed(Door door) => door.Path.StartsWith("/relay/v1/answers/", StringComparison.Ordinal);

    private static string Fill(string path) =>
        path.Replace("{owner}", "matrix", StringComparison.Ordinal)
            .Replace(
                "{trigger}",
                path.StartsWith("/inbound", StringComparison.Ordinal) ? "matrix" : "none",
                StringComparison.Ordinal
            )
            .Replace("{request}", "none", StringComparison.Ordinal)
            .Replace("{session}", "matrix", StringComparison.Ordinal)
            .Replace("{io}", "in", StringComparison.Ordinal)
            .Replace("{name}", "side", StringComparison.Ordinal)
            .Replace("{key}", "matrix", StringComparison.Ordinal)
            .Replace("{id}", "key_none", StringComparison.Ordinal)
            .Replace("{slug}", "none", StringComparison.Ordinal)
            .Replace("{run}", "run_none", StringComparison.Ordinal)
            .Replace("{workflow}", "none", StringComparison.Ordinal)
            .Replace("{delivery}", "dlv_none", StringComparison.Ordinal)
            .Replace("{endpoint}", "none", StringComparison.Ordinal)
            .Replace("{approval}", "none", StringComparison.Ordinal)
            .Replace("{service}", "none", StringComparison.Ordinal)
            .Replace("{token}", "none", StringComparison.Ordinal)
            .Replace("{ref}", "default", StringComparison.Ordinal)
            .Replace("{env}", "prod", StringComparison.Ordinal);

    /// <summary>Returns the status of a request with exactly these bytes; 0 when the connection was closed.</summary>
    private async Task<int> RawAsync(string request)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", new Uri(world.Server.Url).Port);
        await socket.SendAsync(Encoding.Latin1.GetBytes(request));
        var buffer = new byte[1024];
        var read = await socket.ReceiveAsync(buffer);
        return read < 12 ? 0 : int.Parse(Encoding.ASCII.GetString(buffer, 9, 3));
    }
}
