using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Triggers;

/// <summary>
/// Bodies, filters, keys and delivery ids as senders really write them. Each is understood or refused, never taken as
/// empty.
/// </summary>
public sealed class SenderTests : IAsyncLifetime
{
    private const string Json = "application/json";
    private const string Form = "application/x-www-form-urlencoded";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", _server.RootKey, new { kind = "pull" });
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private async Task MakeAsync(string id, object config)
    {
        var made = await _server.PostAsync("/api/triggers/user/ada/" + id, config);
        Assert.True(made.Status == 201, made.ToString());
    }

    private async Task<Answer> RawAsync(
        string id,
        byte[] body,
        string type,
        string? coding = null,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{_server.Url}/inbound/user/ada/{id}");
        request.Content = new ByteArrayContent(body);
        if (type.Length > 0)
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        if (coding is not null)
            request.Content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await _server.Http.SendAsync(request);
        return new Answer(response, await response.Content.ReadAsByteArrayAsync());
    }

    private Task<Answer> InAsync(string id, string body, params (string, string)[] headers) =>
        RawAsync(id, Encoding.UTF8.GetBytes(body), Json, null, headers);

    private async Task<JsonElement> CaptureAsync(string trigger, Answer answer)
    {
        Assert.True(answer.Status == 200, answer.ToString());
        var id = answer.Json.GetProperty("data").GetProperty("requestId").GetString();
        return (await _server.GetAsync($"/api/triggers/user/ada/{trigger}/requests/{id}")).Json.GetProperty("data");
    }

    private async Task<string> PromptAsync(string trigger, Answer answer)
    {
        var session = (await CaptureAsync(trigger, answer)).GetProperty("cloudAgentSessionId").GetString();
        var transcript = (await _server.GetAsync($"/api/v1/sessions/{session}/transcript")).Json.GetProperty(
            "messages"
        );
        return transcript[transcript.GetArrayLength() - 1].GetProperty("content")[0].GetProperty("text").GetString()!;
    }

    private async Task<string?> SessionAsync(string trigger, Answer answer) =>
        (await CaptureAsync(trigger, answer)).GetProperty("cloudAgentSessionId").GetString();

    private static string DataOf(Answer answer, string member) =>
        answer.Json.GetProperty("data").TryGetProperty(member, out var value) ? value.ToString() : "";

    private static byte[] Packed(byte[] body, string coding)
    {
        var packed = new MemoryStream();
        using (
            Stream stream = coding switch
            {
                "gzip" => new GZipStream(packed, CompressionLevel.Fastest),
                "br" => new BrotliStream(packed, CompressionLevel.Fastest),
                _ => new ZLibStream(packed, CompressionLevel.Fastest),
            }
        )
            stream.Write(body);
        return packed.ToArray();
    }

    public static TheoryData<byte[], string, string?> Readable
    {
        get
        {
            const string text = """{"title":"Käse 🧀","b":["x"]}""";
            var plain = Encoding.UTF8.GetBytes(text);
            var latin = text.Replace(" 🧀", "", StringComparison.Ordinal);
            return new()
            {
                { plain, Json, null },
                { plain, "", null },
                { plain, "text/plain", null },
                { plain, "APPLICATION/JSON;Charset=UTF-8", null },
                { plain, "application/cloudevents+json", null },
                { [0xEF, 0xBB, 0xBF, .. plain], Json + "; charset=utf-8", null },
                { [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes(text)], Json, null },
                { Encoding.BigEndianUnicode.GetBytes(text), Json + "; charset=utf-16BE", null },
                { Encoding.Unicode.GetBytes(text), Json + "; charset=\"utf-16\"", null },
                { Encoding.Latin1.GetBytes(latin), Json + "; charset=iso-8859-1", null },
                { Encoding.Latin1.GetBytes(latin), Json + "; charset=windows-1252", null },
                { Packed(plain, "gzip"), Json, "gzip" },
                { Packed(plain, "br"), Json, "br" },
                { Packed(plain, "deflate"), Json, "Deflate" },
                { Encoding.ASCII.GetBytes("payload=" + Uri.EscapeDataString(text)), Form, null },
                {
                    Encoding.ASCII.GetBytes("x=1&payload=" + Uri.EscapeDataString(text)),
                    Form + "; charset=UTF-8",
                    null
                },
                { Encoding.ASCII.GetBytes("title=" + Uri.EscapeDataString("Käse 🧀") + "&b=x"), Form, null },
                { Encoding.ASCII.GetBytes("title=K%C3%A4se+%F0%9F%A7%80&b=y&b=x"), Form, null },
            };
        }
    }

    [Theory]
    [MemberData(nameof(Readable))]
    public async Task A_body_is_understood_however_it_is_written(byte[] body, string type, string? coding)
    {
        await MakeAsync(
            "t",
            new
            {
                agent = "idle",
                promptTemplate = "{{body.title}}|{{bodyJson}}",
                webhookAuth = new { scheme = "github", secret = "secret s" },
                filter = new { body = new[] { new { path = "title", startsWith = "Käse" } } },
            }
        );
        var signature = "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData("secret s"u8, body));
        var answer = await RawAsync("t", body, type, coding, ("X-Hub-Signature-256", signature));
        Assert.StartsWith("Käse", await PromptAsync("t", answer), StringComparison.Ordinal);
        var shown = (await CaptureAsync("t", answer)).GetProperty("body").GetString()!;
        Assert.True(
            shown.Contains("title", StringComparison.Ordinal) && !shown.Contains('\uFFFD', StringComparison.Ordinal),
            shown
        );
        // The captured body is readable again.
        var id = DataOf(answer, "requestId");
        var again = await _server.PostAsync($"/api/triggers/user/ada/t/requests/{id}/replay", null);
        Assert.Equal(202, again.Status);
        var session = (await _server.GetAsync("/api/triggers/user/ada/t/requests?limit=1"))
            .Json.GetProperty("data")
            .GetProperty("requests")[0];
        Assert.Contains(
            "Käse",
            (
                await _server.GetAsync(
                    $"/api/v1/sessions/{session.GetProperty("cloudAgentSessionId").GetString()}/transcript"
                )
            ).Text,
            StringComparison.Ordinal
        );
    }

    public static TheoryData<byte[], string, string?, int> Unreadable =>
        new()
        {
            { "{\"title\":"u8.ToArray(), Json, null, 400 },
            { "{'title':1}"u8.ToArray(), "application/problem+json", null, 400 },
            { Encoding.Latin1.GetBytes("{\"title\":\"Käse\"}"), Json, null, 400 },
            { "{}"u8.ToArray(), Json + "; charset=utf-7", null, 415 },
            { "{}"u8.ToArray(), Json, "zstd", 415 },
            { "{}"u8.ToArray(), Json, "gzip", 400 },
            { Packed(new byte[300_000], "gzip"), Json, "gzip", 413 },
            { Encoding.UTF8.GetBytes(new string('[', 65) + new string(']', 65)), Json, null, 400 },
        };

    [Theory]
    [MemberData(nameof(Unreadable))]
    public async Task A_body_that_cannot_be_read_is_refused_with_the_reason_and_starts_nothing(
        byte[] body,
        string type,
        string? coding,
        int status
    )
    {
        await MakeAsync("t", new { agent = "idle", promptTemplate = "{{body.title}}" });
        var answer = await RawAsync("t", body, type, coding);
        Assert.Equal(status, answer.Status);
        Assert.Contains("\"success\":false", answer.Text, StringComparison.Ordinal);
        Assert.Equal(
            0,
            await _server.Database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM capture", r => r.GetInt64(0)))
        );
    }

    [Fact]
    public async Task A_body_that_is_no_JSON_is_text_to_a_trigger_that_reads_no_fields()
    {
        await MakeAsync("t", new { agent = "idle", promptTemplate = "{{body}}" });
        Assert.Equal("{\"title\":", await PromptAsync("t", await InAsync("t", "{\"title\":")));
        await MakeAsync("fields", new { agent = "idle", promptTemplate = "{{body.title ?? body}}" });
        Assert.Equal(
            "plain words",
            await PromptAsync("fields", await RawAsync("fields", "plain words"u8.ToArray(), "text/plain"))
        );
    }

    [Theory]
    [InlineData("cut here \\ud83d", "cut here \uFFFD")]
    [InlineData("-old\\u0000\\n+new", "-old\n+new")]
    [InlineData("\\ud83d\\ud83d\\ude00", "\uFFFD😀")]
    public async Task Half_a_character_and_a_NUL_lose_nothing_around_them(string sent, string kept)
    {
        await MakeAsync(
            "t",
            new
            {
                agent = "idle",
                promptTemplate = "{{body.a}}|{{bodyJson}}",
                filter = new { body = new[] { new { path = "a", notEquals = "x" } } },
            }
        );
        Assert.StartsWith(
            kept + "|",
            await PromptAsync("t", await InAsync("t", $"{{\"a\":\"{sent}\"}}")),
            StringComparison.Ordinal
        );
        Assert.Equal(200, (await InAsync("t", $"{{\"{sent}\":1}}")).Status);
    }

    [Theory]
    [InlineData("{\"path\":\"user\",\"notEquals\":\"bot\"}", "{\"user\":\"ada\"}", "{\"user\":\"bot\"}")]
    [InlineData("{\"path\":\"user\",\"notEquals\":\"bot\"}", "{}", "{\"user\":\"bot\"}")]
    [InlineData("{\"path\":\"n\",\"in\":[1,\"x\",null]}", "{\"n\":1.0}", "{\"n\":2}")]
    [InlineData("{\"path\":\"n\",\"notIn\":[1,2]}", "{\"n\":null}", "{\"n\":2}")]
    [InlineData(
        "{\"path\":\"event.bot_id\",\"exists\":false}",
        "{\"event\":{\"bot_id\":null}}",
        "{\"event\":{\"bot_id\":\"B1\"}}"
    )]
    [InlineData("{\"path\":\"comment\",\"exists\":true}", "{\"comment\":{}}", "{\"issue\":{}}")]
    [InlineData(
        "{\"path\":\"ref\",\"startsWith\":\"refs/tags/\"}",
        "{\"ref\":\"refs/tags/v1\"}",
        "{\"ref\":\"refs/heads/tags\"}"
    )]
    [InlineData("{\"path\":\"t\",\"matches\":\"(?i)^@bot\\\\b\"}", "{\"t\":\"@Bot please\"}", "{\"t\":\"robot\"}")]
    [InlineData("{\"path\":\"n\",\"matches\":\"^4..$\"}", "{\"n\":404}", "{\"n\":4040}")]
    [InlineData(
        "{\"path\":\"labels[\\\"a.b/c\\\"]\",\"equals\":true}",
        "{\"labels\":{\"a.b/c\":true}}",
        "{\"labels\":{\"a\":{}}}"
    )]
    public async Task A_filter_can_say_what_it_wants_and_what_it_does_not(string rule, string passes, string stays)
    {
        await MakeAsync(
            "t",
            JsonSerializer.Deserialize<JsonElement>(
                $"{{\"agent\":\"idle\",\"promptTemplate\":\"x\",\"filter\":{{\"body\":[{rule}]}}}}"
            )
        );
        Assert.Equal("", DataOf(await InAsync("t", passes), "filtered"));
        Assert.Equal("True", DataOf(await InAsync("t", stays), "filtered"));
    }

    [Theory]
    [InlineData("{\"X-Event\":{\"notEquals\":\"push\"}}", "note", "push")]
    [InlineData("{\"X-Event\":{\"notIn\":[\"push\"]},\"X-None\":{\"exists\":false}}", "note", "push")]
    [InlineData("{\"X-Event\":{\"matches\":\"^(note|issue)s?$\"}}", "notes", "push")]
    [InlineData("[{\"name\":\"X-Event\",\"startsWith\":\"no\"}]", "note", "push")]
    [InlineData("[{\"path\":\"x-event\",\"in\":[\"note\",\"issue\"]}]", "issue", "push")]
    [InlineData("{\"X-Event\":[\"note\"]}", "note", "push")]
    public async Task Headers_are_filtered_likewise(string rules, string passes, string stays)
    {
        await MakeAsync(
            "t",
            JsonSerializer.Deserialize<JsonElement>(
                $"{{\"agent\":\"idle\",\"promptTemplate\":\"x\",\"filter\":{{\"headers\":{rules}}}}}"
            )
        );
        Assert.Equal("", DataOf(await InAsync("t", "{}", ("X-Event", passes)), "filtered"));
        Assert.Equal("True", DataOf(await InAsync("t", "{}", ("X-Event", stays)), "filtered"));
    }

    [Theory]
    [InlineData("{{body.customer}}", "{\"customer\":null}")]
    [InlineData("{{body.customer}}", "{}")]
    [InlineData("{{body.customer}}", "{\"customer\":\"\"}")]
    [InlineData("shop {{body.customer.id}}", "{\"customer\":\"x\"}")]
    [InlineData("{{query.none}}", "{}")]
    [InlineData("{{header.none}}", "{}")]
    public async Task An_empty_session_key_shares_no_session_and_the_capture_says_so(string key, string body)
    {
        await MakeAsync(
            "t",
            new
            {
                agent = "echo",
                promptTemplate = "{{body}}",
                sessionMode = "byKey",
                sessionKey = key,
            }
        );
        var (one, two) = (await InAsync("t", body), await InAsync("t", body));
        Assert.NotEqual(await SessionAsync("t", one), await SessionAsync("t", two));
        Assert.Equal("session_key_missing", (await CaptureAsync("t", one)).GetProperty("reason").GetString());
        await WaitFor.TrueAsync(async () =>
            (await CaptureAsync("t", one)).GetProperty("processStatus").GetString() == "success"
        );
        Assert.Equal("session_key_missing", (await CaptureAsync("t", one)).GetProperty("reason").GetString());
        await MakeAsync(
            "u",
            new
            {
                agent = "idle",
                promptTemplate = "{{body}}",
                sessionMode = "byKey",
                sessionKey = key.Replace("}}", " ?? \"all\"}}", StringComparison.Ordinal),
            }
        );
        (one, two) = (await InAsync("u", body), await InAsync("u", body));
        Assert.Equal(await SessionAsync("u", one), await SessionAsync("u", two));
        Assert.Equal(JsonValueKind.Null, (await CaptureAsync("u", two)).GetProperty("reason").ValueKind);
    }

    [Fact]
    public async Task GitLabs_key_is_the_deliverys_and_the_chains_id_is_not()
    {
        await MakeAsync(
            "lab",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                webhookAuth = new { scheme = "gitlab", secret = "token of lab" },
            }
        );
        Task<Answer> SendAsync(string chain, string? key, string? hook = null) =>
            InAsync(
                "lab",
                "{}",
                [
                    ("X-Gitlab-Token", "token of lab"),
                    ("X-Gitlab-Event-UUID", chain),
                    .. key is null ? Array.Empty<(string, string)>() : [("Idempotency-Key", key)],
                    .. hook is null ? Array.Empty<(string, string)>() : [("X-Gitlab-Webhook-UUID", hook)],
                ]
            );
        Assert.Equal("", DataOf(await SendAsync("1", "k1", "h1"), "duplicate"));
        Assert.Equal("True", DataOf(await SendAsync("2", "k1", "h2"), "duplicate"));
        Assert.Equal("", DataOf(await SendAsync("3", "k2", "h1"), "duplicate"));
        Assert.Equal("", DataOf(await SendAsync("3", "k3", "h1"), "duplicate"));
        Assert.Equal("", DataOf(await SendAsync("4", null, "h4"), "duplicate"));
        Assert.Equal("True", DataOf(await SendAsync("5", null, "h4"), "duplicate"));
        Assert.Equal("", DataOf(await SendAsync("6", null), "duplicate"));
        Assert.Equal("", DataOf(await SendAsync("6", null), "duplicate"));
    }

    [Fact]
    public async Task A_trigger_may_name_the_header_of_its_senders_delivery_ids()
    {
        await MakeAsync(
            "t",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                deliveryIdHeader = "X-Acme-Delivery",
                webhookAuth = new { scheme = "linear", secret = "secret of linear" },
            }
        );
        Task<Answer> SendAsync(string body, string? id) =>
            InAsync(
                "t",
                body,
                [
                    (
                        "Linear-Signature",
                        Convert.ToHexStringLower(
                            HMACSHA256.HashData("secret of linear"u8, Encoding.UTF8.GetBytes(body))
                        )
                    ),
                    .. id is null ? Array.Empty<(string, string)>() : [("X-Acme-Delivery", id)],
                ]
            );
        Assert.Equal("", DataOf(await SendAsync("{\"n\":1}", "d1"), "duplicate"));
        Assert.Equal("True", DataOf(await SendAsync("{\"n\":1,\"at\":2}", "d1"), "duplicate"));
        Assert.Equal("", DataOf(await SendAsync("{\"n\":1}", "d2"), "duplicate"));
        // Without the header, the signed value counts.
        Assert.Equal("", DataOf(await SendAsync("{\"n\":3}", null), "duplicate"));
        Assert.Equal("True", DataOf(await SendAsync("{\"n\":3}", null), "duplicate"));
        Assert.Equal(
            "X-Acme-Delivery",
            (await _server.GetAsync("/api/triggers/user/ada/t"))
                .Json.GetProperty("data")
                .GetProperty("deliveryIdHeader")
                .GetString()
        );
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/triggers/user/ada/t",
            _server.RootKey,
            "{\"deliveryIdHeader\":null}"
        );
        Assert.Equal("True", DataOf(await SendAsync("{\"n\":3}", "d9"), "duplicate"));
    }

    [Fact]
    public async Task A_redelivery_starts_what_failed_before_anything_started_and_once()
    {
        await using var agent = await Receiver.StartAsync();
        var isAway = true;
        agent.Handle = http =>
        {
            http.Response.StatusCode = isAway ? 410 : 202;
            return Task.CompletedTask;
        };
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/remote",
            _server.RootKey,
            new { kind = "http", url = agent.Url }
        );
        await MakeAsync("t", new { agent = "remote", promptTemplate = "x" });
        var first = await InAsync("t", "{}", ("X-GitHub-Delivery", "d1"));
        await WaitFor.TrueAsync(async () =>
            (await CaptureAsync("t", first)).GetProperty("processStatus").GetString() == "failed"
        );
        isAway = false;
        var many = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => InAsync("t", "{}", ("X-GitHub-Delivery", "d1")))
        );
        Assert.Equal(7, many.Count(a => DataOf(a, "duplicate") == "True"));
        var started = many.Single(a => DataOf(a, "duplicate") == "");
        Assert.NotEqual(DataOf(first, "requestId"), DataOf(started, "requestId"));
        Assert.All(many, a => Assert.Equal(DataOf(started, "requestId"), DataOf(a, "requestId")));
    }

    [Fact]
    public async Task A_redelivery_starts_what_a_wrong_filter_had_turned_away()
    {
        await MakeAsync(
            "t",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                filter = new { body = new[] { new { path = "a", equals = 2 } } },
            }
        );
        Assert.Equal("True", DataOf(await InAsync("t", "{\"a\":1}", ("X-GitHub-Delivery", "d1")), "filtered"));
        Assert.Equal("True", DataOf(await InAsync("t", "{\"a\":1}", ("X-GitHub-Delivery", "d1")), "duplicate"));
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/triggers/user/ada/t",
            _server.RootKey,
            new { filter = new { body = new[] { new { path = "a", equals = 1 } } } }
        );
        Assert.Equal("", DataOf(await InAsync("t", "{\"a\":1}", ("X-GitHub-Delivery", "d1")), "duplicate"));
        Assert.Equal("True", DataOf(await InAsync("t", "{\"a\":1}", ("X-GitHub-Delivery", "d1")), "duplicate"));
    }

    [Fact]
    public async Task Members_of_the_authentication_are_changed_one_by_one()
    {
        await MakeAsync(
            "t",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                webhookAuth = new { header = "X-Secret", secret = "secret one" },
            }
        );
        async Task<Answer> PutAsync(string auth) =>
            await _server.SendAsync(
                HttpMethod.Put,
                "/api/triggers/user/ada/t",
                _server.RootKey,
                $"{{\"webhookAuth\":{auth}}}"
            );
        async Task<int> TryAsync(string header, string secret) => (await InAsync("t", "{}", (header, secret))).Status;
        Assert.Equal(200, (await PutAsync("{\"secret\":\"secret two\"}")).Status);
        Assert.Equal((200, 401), (await TryAsync("X-Secret", "secret two"), await TryAsync("X-Secret", "secret one")));
        Assert.Equal(200, (await PutAsync("{\"header\":\"X-Other\"}")).Status);
        Assert.Equal((200, 401), (await TryAsync("X-Other", "secret two"), await TryAsync("X-Secret", "secret two")));
        Assert.Equal(200, (await PutAsync("{}")).Status);
        Assert.Equal(401, await TryAsync("X-Other", "wrong one"));
        foreach (
            var half in (string[])
                ["{\"header\":null}", "{\"secret\":null}", "{\"scheme\":\"standard\"}", "{\"secret\":\"short\"}"]
        )
            Assert.Equal(400, (await PutAsync(half)).Status);
        Assert.Equal(200, await TryAsync("X-Other", "secret two"));
        Assert.Equal(200, (await PutAsync("{\"scheme\":\"github\"}")).Status);
        var signature = "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData("secret two"u8, "{\"n\":1}"u8));
        Assert.Equal(200, (await InAsync("t", "{\"n\":1}", ("X-Hub-Signature-256", signature))).Status);
        Assert.Equal(401, await TryAsync("X-Other", "secret two"));
        Assert.Equal(200, (await PutAsync("{\"scheme\":null,\"header\":null,\"secret\":null}")).Status);
        Assert.Equal(200, await TryAsync("X-Any", "x"));
        // A new PUT with empty values does not open it by mistake.
        foreach (var none in (string[])["{}", "{\"header\":null,\"secret\":null}", "{\"secret\":\"secret one\"}"])
            Assert.Equal(
                400,
                (
                    await _server.PostAsync(
                        "/api/triggers/user/ada/t",
                        $"{{\"agent\":\"idle\",\"promptTemplate\":\"x\",\"webhookAuth\":{none}}}"
                    )
                ).Status
            );
    }
}
