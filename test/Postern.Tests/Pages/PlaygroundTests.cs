using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The console's playground: tests of webhooks, signed by the server, chats and runs.</summary>
public sealed class PlaygroundTests : IAsyncLifetime
{
    private const string Text = "a secret of the sender, long enough";
    private static readonly string Standard = "whsec_" + Convert.ToBase64String(new byte[32]);
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    public static TheoryData<string> Schemes =>
        [.. SignatureScheme.All.Where(s => s.Name != "discord").Select(s => s.Name)];

    private async Task<ConsoleCookie> CookieAsync(params string[] scopes) =>
        (await ConsoleCookie.OfAsync(_server, scopes)).Cookie;

    private static string SecretOf(string scheme) => scheme is "standard" or "svix" ? Standard : Text;

    private async Task PutAsync(string scheme, object? auth = null)
    {
        var put = await _server.PostAsync(
            "/api/triggers/user/ada/" + scheme,
            new
            {
                agent = "echo",
                promptTemplate = "{{body}}",
                maxInFlight = 1000,
                webhookAuth = auth
                    ?? scheme switch
                    {
                        SignatureScheme.HeaderSecret => new { header = "X-My-Token", secret = Text },
                        SignatureScheme.Hmac => new
                        {
                            scheme,
                            header = "X-Sign",
                            secret = Text,
                            signed = "{id}|{timestamp}|{body}",
                            timestampHeader = "X-When",
                            idHeader = "X-Which",
                            encoding = "base64",
                            algorithm = "sha512",
                        },
                        _ => (object)new { scheme, secret = SecretOf(scheme) },
                    },
            }
        );
        Assert.True(put.Status == 201, put.ToString());
    }

    private Task<Answer> ExampleAsync(ConsoleCookie cookie, string trigger, string way) =>
        _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            $"/console/triggers/user/ada/{trigger}/example",
            cookie.Form("way=" + way)
        );

    [Theory]
    [MemberData(nameof(Schemes))]
    public async Task An_example_of_each_sender_is_taken_and_one_that_is_wrong_or_old_is_not(string scheme)
    {
        await PutAsync(scheme);
        var cookie = await CookieAsync("read:triggers", "write:triggers", "read:runs");
        var sent = await ExampleAsync(cookie, scheme, "right");
        Assert.True(sent.Status == 303, sent.ToString());
        Assert.Matches("^/console/triggers/user/ada/.+[?]sent=200&capture=[0-9a-f-]{36}$", sent.Header("Location"));
        var page = await _server.ConsoleAsync(cookie, HttpMethod.Get, sent.Header("Location")!);
        Assert.Contains("Accepted.", page.Text, StringComparison.Ordinal);
        var id = sent.Header("Location")!.Split("capture=")[1];
        var capture = await _server.ConsoleAsync(cookie, HttpMethod.Get, "/console/captures/" + id);
        foreach (var shown in (string[])["x-postern-test", "postern_test", "Prompt sent to the agent"])
            Assert.Contains(shown, capture.Text, StringComparison.Ordinal);

        var wrong = await ExampleAsync(cookie, scheme, "wrong");
        Assert.EndsWith("?sent=401", wrong.Header("Location"), StringComparison.Ordinal);
        var refused = await _server.ConsoleAsync(cookie, HttpMethod.Get, wrong.Header("Location")!);
        Assert.Contains("Unauthorized", refused.Text, StringComparison.Ordinal);
        var rule = SignatureScheme.Of(scheme)!;
        var isTimed = rule.Proof is Proof.Standard or Proof.TimedHmac || scheme is "slack" or "zoom" or "hmac";
        var old = await ExampleAsync(cookie, scheme, "old");
        if (isTimed)
            Assert.EndsWith("?sent=401", old.Header("Location"), StringComparison.Ordinal);
        else
            Assert.Equal(409, old.Status);
        var twice = await ExampleAsync(cookie, scheme, "twice");
        Assert.Contains("?sent=200,200&capture=", twice.Header("Location"), StringComparison.Ordinal);
        // One for each accepted request. A repeat is recognised where the sender's messages have ids.
        var list = await _server.GetAsync($"/api/triggers/user/ada/{scheme}/requests");
        var captures = list.Json.GetProperty("data").GetProperty("requests").GetArrayLength();
        Assert.Equal(scheme == SignatureScheme.HeaderSecret ? 3 : 2, captures);
        Assert.DoesNotContain(SecretOf(scheme), page.Text + capture.Text + refused.Text, StringComparison.Ordinal);
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/audit?limit=200"))
                .Json.GetProperty("data")
                .EnumerateArray()
                .Any(r => r.GetProperty("action").GetString() == "trigger.tested")
        );
    }

    [Fact]
    public async Task A_sender_with_a_private_key_cannot_be_signed_for_and_a_schedule_takes_nothing()
    {
        await PutAsync(
            "discord",
            new { scheme = "discord", secret = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29" }
        );
        await _server.PostAsync(
            "/api/triggers/user/ada/nightly",
            new
            {
                agent = "echo",
                promptTemplate = "x",
                activationMode = "scheduled",
                cronExpression = "0 3 * * *",
            }
        );
        var cookie = await CookieAsync("read:triggers", "write:triggers");
        foreach (var (name, said) in ((string, string)[])[("discord", "private key"), ("nightly", "schedule")])
        {
            var refused = await ExampleAsync(cookie, name, "right");
            Assert.Equal(409, refused.Status);
            Assert.Contains(said, refused.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_body_and_headers_of_ones_own_are_sent_as_they_are()
    {
        await PutAsync("github");
        var cookie = await CookieAsync("read:triggers", "write:triggers:user/ada/github");
        const string body = "{\"a\":\"it's é <b>\"}";
        var sent = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            "/console/playground/webhook",
            cookie.Form(
                $"trigger=user/ada/github&way=right&body={Uri.EscapeDataString(body)}&headers="
                    + Uri.EscapeDataString("X-GitHub-Event: push\nX-Note: näive\nX-Hub-Signature-256: sha256=00")
            )
        );
        Assert.True(sent.Status == 303, sent.ToString());
        var id = sent.Header("Location")!.Split("capture=")[1];
        var read = (await _server.GetAsync("/api/triggers/user/ada/github/requests/" + id)).Json.GetProperty("data");
        Assert.Equal(body, read.GetProperty("body").GetString());
        Assert.Equal("push", read.GetProperty("headers").GetProperty("x-github-event").GetString());
        Assert.Equal("1", read.GetProperty("headers").GetProperty("x-postern-test").GetString());

        var page = await _server.ConsoleAsync(cookie, HttpMethod.Get, sent.Header("Location")!);
        Assert.Contains("Accepted.", page.Text, StringComparison.Ordinal);
        var again = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Get,
            "/console/playground?tab=webhook&trigger=user/ada/github&from=" + id
        );
        Assert.Contains("it&#x27;s", again.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("REDACTED", again.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host: evil.example")]
    [InlineData("X-Forwarded-For: 10.0.0.1")]
    [InlineData("Content-Length: 3")]
    [InlineData("Transfer-Encoding: chunked")]
    [InlineData("X-Postern-Test: 0")]
    [InlineData("no header at all")]
    [InlineData("X y: z")]
    public async Task A_header_that_is_not_for_a_person_to_say_is_named_and_nothing_is_sent(string header)
    {
        await PutAsync("github");
        var cookie = await CookieAsync("read:triggers", "write:triggers");
        var rows = await _server.CountRowsAsync();
        var refused = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            "/console/playground/webhook",
            cookie.Form("trigger=user/ada/github&way=right&body=x&headers=" + Uri.EscapeDataString(header))
        );
        Assert.Equal(400, refused.Status);
        Assert.Contains("headers", refused.Text, StringComparison.Ordinal);
        Assert.Equal(rows, await _server.CountRowsAsync());
    }

    [Fact]
    public async Task A_signature_is_a_right_and_few_are_given()
    {
        await PutAsync("github");
        var reader = await CookieAsync("read:triggers");
        Assert.Equal(403, (await ExampleAsync(reader, "github", "right")).Status);
        var page = await _server.ConsoleAsync(reader, HttpMethod.Get, "/console/triggers/user/ada/github");
        Assert.DoesNotContain("/example\"", page.Text, StringComparison.Ordinal);
        var other = await CookieAsync("write:triggers:user/ada/other", "read:runs");
        Assert.Equal(404, (await ExampleAsync(other, "github", "right")).Status);
        Assert.Equal(404, (await ExampleAsync(other, "none", "right")).Status);
        var fires = await CookieAsync("trigger:triggers", "read:triggers");
        Assert.Equal(403, (await ExampleAsync(fires, "github", "right")).Status);
        var list = await _server.GetAsync("/api/triggers/user/ada/github/requests");
        Assert.Equal(0, list.Json.GetProperty("data").GetProperty("requests").GetArrayLength());

        var cookie = await CookieAsync("read:triggers", "write:triggers");
        for (var n = 0; n < 10; n++)
            Assert.Equal(303, (await ExampleAsync(cookie, "github", "right")).Status);
        var slow = await ExampleAsync(cookie, "github", "right");
        Assert.Equal(429, slow.Status);
        Assert.NotNull(slow.Header("Retry-After"));
    }

    [Fact]
    public async Task A_chat_and_a_run_are_begun_as_by_the_api()
    {
        var cookie = await CookieAsync("read:sessions", "write:sessions", "read:runs", "write:runs", "read:tasks");
        var chat = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            "/console/playground/chat",
            cookie.Form("agent=echo&text=Hello%2C+door.")
        );
        Assert.True(chat.Status == 303, chat.ToString());
        var id = chat.Header("Location")!.Split('/')[^1];
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync($"/api/v1/sessions/{id}/transcript")).Json.GetProperty("messages").GetArrayLength()
            == 2
        );
        var session = (await _server.GetAsync("/api/v1/sessions/" + id)).Json;
        Assert.Equal("console", session.GetProperty("tags")[0].GetString());
        Assert.StartsWith("console:", session.GetProperty("externalId").GetString(), StringComparison.Ordinal);

        var run = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            "/console/playground/run",
            cookie.Form("agent=echo&input=" + Uri.EscapeDataString("{\"text\":\"x\"}"))
        );
        Assert.StartsWith("/console/runs/run_", run.Header("Location"), StringComparison.Ordinal);
        foreach (
            var (path, fields, status) in ((string, string, int)[])
                [
                    ("chat", "agent=nobody&text=x", 422),
                    ("chat", "agent=echo&text=", 400),
                    ("run", "agent=echo&input=%7B", 400),
                    ("run", "agent=echo&workflow=nothing", 422),
                    ("run", "agent=&input=1", 400),
                ]
        )
        {
            var refused = await _server.ConsoleAsync(
                cookie,
                HttpMethod.Post,
                "/console/playground/" + path,
                cookie.Form(fields)
            );
            Assert.True(refused.Status == status, $"{path} {fields}: {refused.Status}");
        }
        var narrow = await CookieAsync("read:sessions", "write:tasks:other");
        foreach (var (path, fields) in ((string, string)[])[("chat", "agent=echo&text=x"), ("run", "agent=echo")])
        {
            var refused = await _server.ConsoleAsync(
                narrow,
                HttpMethod.Post,
                "/console/playground/" + path,
                narrow.Form(fields)
            );
            Assert.Equal(403, refused.Status);
        }
    }
}
