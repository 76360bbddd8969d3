using System.Net.Sockets;
using System.Text;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Access.Attacks;

/// <summary>
/// Attacks with headers: another site's page, two that disagree, other spellings of a key, bodies before a credential.
/// </summary>
public sealed class HeaderAttackTests(HeaderAttackTests.World world) : IClassFixture<HeaderAttackTests.World>
{
    public sealed class World : IAsyncLifetime
    {
        internal TestServer Server { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Server = await TestServer.StartAsync(set: o =>
            {
                o.Operators.TrustedProxies = ["127.0.0.0/8"];
                o.Operators.Roles["ada"] = "operator.admin";
            });
            await Server.StartSessionAsync("s");
        }

        public ValueTask DisposeAsync() => Server.DisposeAsync();
    }

    private const string Json = "Content-Type: application/json";
    private const string Form = "Content-Type: application/x-www-form-urlencoded";

    [Theory]
    [InlineData("a form", Form)]
    [InlineData("a form with files", "Content-Type: multipart/form-data; boundary=x")]
    [InlineData("plain text", "Content-Type: text/plain")]
    [InlineData("text that says that it is JSON", "Content-Type: text/plain; application/json")]
    [InlineData("a parameter that says so", "Content-Type: text/plain; x=\"application/json\"")]
    [InlineData("no type", "X-Nothing: x")]
    [InlineData("no readable type", "Content-Type: ;application/json")]
    [InlineData("nearly JSON", "Content-Type: application/jsonp")]
    [InlineData("JSON as text", "Content-Type: text/json")]
    [InlineData("another site, as its browser says", Json, "Sec-Fetch-Site: cross-site")]
    [InlineData("a neighbour's site", Json, "Sec-Fetch-Site: same-site")]
    [InlineData("a word in other letters", Json, "Sec-Fetch-Site: Same-Origin")]
    [InlineData("two words", Json, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site")]
    [InlineData("two words in one", Json, "Sec-Fetch-Site: same-origin, cross-site")]
    [InlineData("an empty word", Json, "Sec-Fetch-Site: ")]
    [InlineData(
        "another site that asks for itself",
        Json,
        "Sec-Fetch-Site: cross-site",
        "X-Requested-With: XMLHttpRequest"
    )]
    [InlineData("another origin", Form, "Origin: https://evil.example")]
    [InlineData("no origin", Form, "Origin: null")]
    [InlineData("an origin that begins with ours", Form, "Origin: http://{host}.evil.example")]
    [InlineData("ours as a user's name", Form, "Origin: http://{host}@evil.example")]
    [InlineData("ours as a path", Form, "Origin: http://evil.example/{host}")]
    [InlineData("ours on another port", Form, "Origin: http://127.0.0.1:1")]
    [InlineData("two origins", Form, "Origin: http://{host}", "Origin: https://evil.example")]
    [InlineData("a page of ours that sent it on", Form, "Referer: http://{host}/docs")]
    [InlineData("another method inside", Form, "X-HTTP-Method-Override: GET")]
    public async Task Another_sites_page_does_nothing_with_an_operators_identity(string what, params string[] headers)
    {
        // Work that an earlier test has started ends first.
        await world.Server.SettledAsync();
        var rows = await world.Server.CountRowsAsync();
        foreach (var path in (string[])["/sessions/s/kill", "/sessions/s/messages", "/sessions/new-one/messages"])
        {
            var (status, text) = await RawAsync(
                "POST",
                path,
                "{\"role\":\"user\",\"content\":\"x\"}",
                ["X-Forwarded-User: ada", .. headers]
            );
            Assert.True(
                status == 403 && text.Contains("Another site", StringComparison.Ordinal),
                $"{what}, {path}: {text}"
            );
        }
        Assert.Equal(rows, await world.Server.CountRowsAsync());
    }

    [Theory]
    [InlineData(Json)]
    [InlineData("Content-Type: application/problem+json; charset=utf-8")]
    [InlineData(Json, "Sec-Fetch-Site: same-origin")]
    [InlineData(Json, "Sec-Fetch-Site: none")]
    [InlineData(Form, "Origin: http://{host}")]
    [InlineData(Form, "X-Requested-With: XMLHttpRequest")]
    public async Task Our_own_page_and_what_no_form_can_send_are_let_in(params string[] headers) =>
        Assert.Equal(
            201,
            (
                await RawAsync(
                    "POST",
                    "/sessions/s/messages",
                    "{\"role\":\"user\",\"content\":\"x\"}",
                    ["X-Forwarded-User: ada", .. headers]
                )
            ).Status
        );

    [Theory]
    [InlineData("GET /sessions/s/history", "X-Forwarded-User: eve", "X-Forwarded-User: ada")]
    [InlineData("GET /sessions/s/history", "X-Forwarded-User: ada", "X-Forwarded-User: ada")]
    [InlineData(
        "GET /sessions/s/history",
        "X-Forwarded-User: ada",
        "x-postern-scopes: operator.admin",
        "x-postern-scopes: operator.read"
    )]
    [InlineData(
        "GET /sessions/s/history",
        "X-Forwarded-User: ada",
        "x-openclaw-scopes: operator.admin",
        "x-openclaw-scopes: "
    )]
    [InlineData("GET /api/v1/keys", "Authorization: Bearer {key}", "Authorization: Bearer other")]
    [InlineData("GET /api/v1/keys", "Authorization: Bearer {key}", "X-API-Key: other")]
    [InlineData("GET /api/v1/keys", "Authorization: Bearer other", "X-API-Key: {key}")]
    [InlineData("GET /api/v1/keys", "X-API-Key: {key}", "X-API-Key: other")]
    [InlineData("GET /api/v1/keys", "Authorization: Basic eA==", "Authorization: Bearer {key}")]
    [InlineData("GET /api/v1/keys", "Authorization: Negotiate x", "X-API-Key: {key}")]
    [InlineData("GET /api/triggers", "X-Internal-API-Key: {key}", "X-Internal-API-Key: other")]
    [InlineData("GET /api/triggers", "X-Internal-API-Key: {key}", "X-Internal-API-Key: {key}")]
    [InlineData("GET /api/triggers", "X-Internal-API-Key: {key}", "Authorization: Bearer other")]
    [InlineData("GET /api/triggers", "X-Internal-API-Key: other", "X-API-Key: {key}")]
    [InlineData("POST /api/v1/runs/r/status", "X-Callback-Token: {hex}", "X-Callback-Token: {hex}")]
    [InlineData("POST /api/v1/runs/r/status", "X-Callback-Token: {hex}", "Authorization: Bearer {key}")]
    [InlineData("POST /api/v1/runs/r/status", "X-Callback-Token: {hex}", "X-API-Key: {key}")]
    [InlineData("POST /api/v1/runs/r/status", "X-Callback-Token: {hex}", "x-run-id: r", "x-run-id: other")]
    [InlineData("POST /api/v1/runs/r/status", "X-Callback-Token: {hex}", "x-run-attempt: 1", "x-run-attempt: 2")]
    [InlineData(
        "POST /api/v1/runs/r/status",
        "X-Callback-Token: {hex}",
        "x-webhook-project: a",
        "x-webhook-project: b"
    )]
    public async Task A_repeated_header_that_may_stand_once_is_refused(string request, params string[] headers)
    {
        var (method, path) = (request.Split(' ')[0], request.Split(' ')[1]);
        var (status, text) = await RawAsync(method, path, "{}", [Json, .. headers]);
        Assert.True(
            status == 400
                && (
                    text.Contains("ambiguous_credentials", StringComparison.Ordinal)
                    || text.Contains("carries two credentials", StringComparison.Ordinal)
                ),
            text
        );
    }

    [Theory]
    [InlineData("another prefix", "Authorization: Bearer x_{key}")]
    [InlineData("two foreign prefixes", "Authorization: Bearer tr_dev_tr_pat_{key}")]
    [InlineData("a foreign prefix in capitals", "Authorization: Bearer TR_DEV_{key}")]
    [InlineData("another kind", "Authorization: Bearer {live}")]
    [InlineData("in capitals", "Authorization: Bearer {upper}")]
    [InlineData("without its check", "Authorization: Bearer {cut}")]
    [InlineData("something behind it", "Authorization: Bearer {key}x")]
    [InlineData("a full stop behind it", "Authorization: Bearer {key}.")]
    [InlineData("as a token", "Authorization: Bearer {key}.{key}.{key}")]
    [InlineData("twice", "Authorization: Bearer {key},{key}")]
    [InlineData("quoted", "Authorization: Bearer \"{key}\"")]
    [InlineData("escaped", "Authorization: Bearer %70st{rest}")]
    [InlineData("another scheme", "Authorization: Token {key}")]
    [InlineData("no scheme", "Authorization: {key}")]
    [InlineData("a scheme of two words", "Authorization: Bearer Bearer {key}")]
    [InlineData("no blank", "Authorization: Bearer{key}")]
    [InlineData("as the other header writes it", "X-API-Key: Bearer {key}")]
    [InlineData("as a cookie", "Cookie: Authorization={key}")]
    [InlineData("under another name", "X-Api_Key: {key}")]
    [InlineData("for a proxy", "Proxy-Authorization: Bearer {key}")]
    [InlineData("where only triggers look", "X-Internal-API-Key: {key}")]
    [InlineData("an invisible letter", "Authorization: Bearer {key}\u00ad")]
    public async Task A_key_has_one_spelling(string what, string header)
    {
        var (status, text) = await RawAsync("GET", "/api/v1/keys", "", [header]);
        Assert.True(status == 401, $"{what}: {text}");
    }

    /// <summary>No door reads a body before it has checked the credential.</summary>
    [Fact]
    public async Task No_door_reads_a_body_before_the_credential()
    {
        var server = world.Server;
        var once = (
            await server.PostAsync(
                "/api/v1/auth/public-tokens",
                new { scopes = new[] { "write:all" }, oneTimeUse = true }
            )
        ).String("token");
        await server.GetAsync("/api/v1/sessions", once);
        var doors = server.Doors.Table.Where(d => d.Request is not null && d.Handler is ProjectHandler).ToList();
        Assert.True(doors.Count > 30, $"{doors.Count} doors take a body");
        foreach (var door in doors)
        {
            var path = System.Text.RegularExpressions.Regex.Replace(door.Path, @"\{\w+\}", "in");
            foreach (
                var (name, value) in new[]
                {
                    ("X-Nothing", "x"),
                    ("Authorization", "Bearer " + server.RootKey[..^1] + "!"),
                    ("Authorization", "Bearer " + once),
                    ("X-Callback-Token", new string('a', 64)),
                    ("X-Callback-Secret", new string('a', 64)),
                }
            )
            {
                var (half, status) = await SlowRequest.TryAsync(
                    server.Url,
                    door.Method,
                    path,
                    new byte[100],
                    (name, value)
                );
                if (half is not null)
                    await half.DisposeAsync();
                Assert.True(half is null && status == 401, $"{door.Method} {door.Path} with {name}: {status}");
            }
        }
    }

    /// <summary>A proxy or a library that adds its own to the caller's: which one is meant is not known.</summary>
    [Theory]
    [InlineData("/api/v1/runs", "Idempotency-Key")]
    [InlineData("/realtime/v1/sessions/s/in/append", "X-Part-Id")]
    public async Task A_name_that_is_given_twice_is_refused_and_nothing_is_written(string path, string header)
    {
        const string body = "{\"agent\":\"echo\"}";
        var key = $"Authorization: Bearer {world.Server.RootKey}";
        var (status, text) = await RawAsync("POST", path, body, [key, Json, $"{header}: one", $"{header}: two"]);
        Assert.True(status == 400 && text.Contains(header, StringComparison.Ordinal), text);
        var (single, told) = await RawAsync("POST", path, body, [key, Json, $"{header}: one, two"]);
        Assert.True(single is 200 or 202 && !told.Contains("Idempotency-Replayed", StringComparison.Ordinal), told);
    }

    private async Task<(int Status, string Text)> RawAsync(string method, string path, string body, string[] headers)
    {
        var server = world.Server;
        var head = new StringBuilder(
            $"{method} {path} HTTP/1.1\r\nHost: {new Uri(server.Url).Authority}\r\nConnection: close\r\n"
                + $"Content-Length: {body.Length}\r\n"
        );
        foreach (var header in headers)
            head.Append(header).Append("\r\n");
        var text = head.Append("\r\n")
            .Append(body)
            .Replace("{host}", new Uri(server.Url).Authority)
            .Replace("{key}", server.RootKey)
            .Replace("{hex}", new string('a', 64))
            .Replace("{live}", "pst_live" + server.RootKey[8..])
            .Replace("{upper}", server.RootKey.ToUpperInvariant())
            .Replace("{cut}", server.RootKey[..server.RootKey.LastIndexOf('_')])
            .Replace("{rest}", server.RootKey[3..])
            .ToString();
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", new Uri(server.Url).Port);
        await socket.SendAsync(Encoding.Latin1.GetBytes(text));
        var answer = new StringBuilder();
        var buffer = new byte[4096];
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (await socket.ReceiveAsync(buffer, patience.Token) is > 0 and var read)
            answer.Append(Encoding.Latin1.GetString(buffer, 0, read));
        return (answer.Length < 12 ? 0 : int.Parse(answer.ToString(9, 3)), answer.ToString());
    }
}
