using System.Text.RegularExpressions;
using Postern.Access;
using Postern.Approvals;
using Postern.Http;
using Postern.Pages;
using Postern.Support;

namespace Postern.Tests.Http;

/// <summary>
/// The headers of every answer. The table of doors is their source, so a new route is tested by itself.
/// </summary>
public sealed class AnswerHeaderTests(AnswerHeaderTests.World world) : IClassFixture<AnswerHeaderTests.World>
{
    public sealed class World : IAsyncLifetime
    {
        internal TestServer Server { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Server = await TestServer.StartAsync();
            await Server.PostAsync("/sessions/s/messages", new { role = "user", content = "hello" });
        }

        public async ValueTask DisposeAsync() => await Server.DisposeAsync();
    }

    public static TheoryData<string, string> Doors()
    {
        var rows = new TheoryData<string, string>();
        foreach (var line in File.ReadAllLines(Repository.File("doors.txt")))
        {
            var parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            rows.Add(parts[0] == Door.AnyMethod ? "POST" : parts[0], parts[1]);
        }
        return rows;
    }

    [Theory]
    [MemberData(nameof(Doors))]
    public async Task Every_door_answers_with_them_whatever_it_answers(string method, string path)
    {
        // A session that exists, so that streams and transcripts answer too. Otherwise an id of nothing.
        var target = Regex.Replace(
            Regex.Replace(path, "{(session|key)}", "s").Replace("{io}", "out", StringComparison.Ordinal),
            "{[^}]*}",
            "none"
        );
        foreach (var credential in (string?[])[null, "pst_root_wrong", world.Server.RootKey])
        foreach (var body in (string?[])[null, "{\"broken\""])
        foreach (var accept in (string[])["*/*", "text/event-stream"])
        {
            if (body is not null && method is "GET" or "HEAD" or "DELETE")
                continue;
            await CheckAsync(
                new HttpMethod(method),
                target,
                credential,
                body,
                ("Accept", accept),
                ("Timeout-Seconds", "1")
            );
        }
        foreach (var other in (string[])["OPTIONS", "HEAD", "TRACE", "PROPFIND"])
            await CheckAsync(new HttpMethod(other), target, null, null);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/nothing/here")]
    [InlineData("/api/v1/approvals/x/y/z")]
    [InlineData("/api/v1//keys")]
    [InlineData("/api/v1/%2e%2e/keys")]
    [InlineData("/healthz?access_token=eyJx")]
    [InlineData("/docs")]
    [InlineData("/docs/index.html")]
    [InlineData("/docs/start.js")]
    [InlineData("/docs/scalar.js")]
    [InlineData("/docs/nothing")]
    [InlineData("/approvals/none")]
    public async Task So_do_pages_the_frameworks_files_and_paths_that_lead_nowhere(string path)
    {
        foreach (var method in (string[])["GET", "HEAD", "POST", "OPTIONS"])
            await CheckAsync(new HttpMethod(method), path, null, null);
    }

    [Fact]
    public async Task An_answer_with_a_secret_is_kept_by_no_cache()
    {
        var server = world.Server;
        foreach (
            var secret in (await server.GetAsync("/api/v1/callback-secrets")).Json.GetProperty("data").EnumerateArray()
        )
            await server.SendAsync(
                HttpMethod.Delete,
                "/api/v1/callback-secrets/" + secret.GetProperty("id").GetString(),
                server.RootKey
            );
        var answers = new[]
        {
            await server.PostAsync("/api/v1/keys", new { name = "x" }),
            await server.PostAsync("/api/v1/projects", new { name = "headers" }),
            await server.PostAsync("/api/v1/callback-secrets", null),
            await server.SendAsync(HttpMethod.Put, "/api/v1/agents/headers", server.RootKey, new { kind = "pull" }),
            await server.PostAsync("/api/v1/auth/public-tokens", new { scopes = new[] { "read:sessions" } }),
            await server.StartSessionAsync("headers"),
            await server.GetAsync("/api/v1/keys", "", ("X-API-Key", server.RootKey)),
            await server.GetAsync("/api/v1/runs", "", ("X-API-Key", server.RootKey)),
            await server.GetAsync("/api/v1/audit"),
        };
        Assert.All(answers, a => Assert.Equal((true, "no-store"), (a.Status is 200 or 201, a.Header("Cache-Control"))));
    }

    [Fact]
    public async Task A_transcript_may_be_kept_by_its_reader_alone_and_is_another_for_another_caller()
    {
        var server = world.Server;
        var first = await server.GetAsync("/sessions/s/history");
        Assert.Equal((200, "no-cache, private"), (first.Status, first.Header("Cache-Control")));
        var again = await server.GetAsync("/sessions/s/history", null, ("If-None-Match", first.Header("ETag")!));
        Assert.Equal((304, "no-cache, private"), (again.Status, again.Header("Cache-Control")));
        foreach (
            var name in (string[])
                ["Accept", "Authorization", "X-API-Key", "X-Forwarded-User", "x-openclaw-scopes", "x-postern-scopes"]
        )
            Assert.Contains(name, first.Header("Vary")!.Split(", "), StringComparer.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_stream_tells_proxies_to_pass_it_on_as_it_comes()
    {
        await using var stream = await world.Server.StreamAsync("/sessions/s/history");
        Assert.Equal("no-cache, no-transform", Raw(stream.Response, "Cache-Control"));
        Assert.Equal("nosniff", Raw(stream.Response, "X-Content-Type-Options"));
        Assert.Equal(AnswerHeaders.NoPage, Raw(stream.Response, "Content-Security-Policy"));
    }

    [Fact]
    public async Task The_page_where_keys_are_typed_in_runs_its_own_files_alone_and_cannot_be_framed()
    {
        var page = await world.Server.GetAsync("/docs/index.html", "");
        Assert.Equal((200, "DENY"), (page.Status, page.Header("X-Frame-Options")));
        Assert.Equal(AnswerHeaders.ReferencePage, page.Header("Content-Security-Policy"));
        Assert.Contains("frame-ancestors 'none'", AnswerHeaders.ReferencePage, StringComparison.Ordinal);
        Assert.Contains("script-src 'self';", AnswerHeaders.ReferencePage, StringComparison.Ordinal);
        // The page contains nothing that such a policy would block.
        Assert.DoesNotMatch("<script(?![^>]*src=)| on[a-z]+=", page.Text);
    }

    private async Task CheckAsync(
        HttpMethod method,
        string path,
        string? credential,
        string? body,
        params (string, string)[] headers
    )
    {
        using var request = new HttpRequestMessage(method, path);
        if (credential is not null)
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + credential);
        if (body is not null)
            request.Content = new StringContent(body, null, "application/json");
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await world.Server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var (status, type) = ((int)answer.StatusCode, answer.Content.Headers.ContentType?.MediaType);
        Is("nosniff", "X-Content-Type-Options");
        Is("no-referrer", "Referrer-Policy");
        Is(
            path.StartsWith("/docs", StringComparison.Ordinal) && Raw(answer, "X-Frame-Options") == "DENY"
                    ? AnswerHeaders.ReferencePage
                : path.StartsWith("/approvals/", StringComparison.Ordinal) && type == "text/html" ? PageStyle.Policy
                : path.StartsWith(ConsoleFamily.Prefix, StringComparison.Ordinal) ? ConsoleFamily.Policy
                : AnswerHeaders.NoPage,
            "Content-Security-Policy"
        );
        Is(
            type == "text/event-stream" ? "no-cache, no-transform"
                : path.EndsWith("/history", StringComparison.Ordinal) && status is 200 or 304 ? "private, no-cache"
                : path.StartsWith("/docs", StringComparison.Ordinal) && status == 200 ? "no-cache"
                : "no-store",
            "Cache-Control"
        );

        void Is(string expected, string name)
        {
            var found = Raw(answer, name);
            Assert.True(
                found == expected,
                $"{method} {path} with {credential ?? "nothing"}: {status}, {name}: {found}"
            );
        }
    }

    /// <summary>Returns a header as it was sent: the client changes the order of its words.</summary>
    private static string Raw(HttpResponseMessage answer, string name) =>
        answer.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : "";
}
