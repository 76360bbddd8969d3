using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Postern.Access;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// A job of a person without a key, who is signed in to the console with an identity provider or by the word of a
/// proxy. It goes on without the person, with the person's name and rights, and ends with the session or the role.
/// </summary>
public sealed partial class BulkPersonContract
{
    private const string Ada = "ada@example.com";
    private const string Rights = "read:runs write:runs read:triggers trigger:triggers";

    [Theory]
    [InlineData(Backend.Sqlite, true)]
    [InlineData(Backend.Postgres, true)]
    [InlineData(Backend.Sqlite, false)]
    [InlineData(Backend.Postgres, false)]
    internal async Task It_is_done_in_his_name_and_ends_with_his_session(Backend backend, bool byProvider)
    {
        await using var provider = await OpenIdProvider.StartAsync();
        await using var server = await TestServer.StartAsync(
            backend,
            options =>
            {
                if (byProvider)
                    OidcBrowser.By(provider)(options);
                else
                    options.Operators.TrustedProxies = ["127.0.0.0/8"];
                options.Operators.Roles[Ada] = Rights;
            }
        );
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        for (var i = 0; i < 3; i++)
            await server.PostAsync("/api/v1/runs", new { agent = "idle" });
        var person = await PersonAsync(server, byProvider);
        var job = await StartAsync(server, person, "action=runs.cancel&agent=idle&phase=queued");
        var ended = await server.EndedBulkAsync(job);
        Assert.Equal(("done", (3, 3, 0, 0)), (ended.GetProperty("status").GetString(), BulkCalls.Numbers(ended)));
        Assert.Equal("console", ended.GetProperty("credential").GetString());
        var actor = ended.GetProperty("actor").GetString();
        var audit = (await server.GetAsync("/api/v1/audit?action=run.cancel")).Json.GetProperty("data");
        Assert.Equal(3, audit.GetArrayLength());
        foreach (var row in audit.EnumerateArray())
            Assert.Equal(
                ("console", actor),
                (row.GetProperty("credential").GetString(), row.GetProperty("actor").GetString())
            );

        // A job that waits for a place ends with its person's session.
        await server.FullTriggerAsync("full", 3);
        var waiting = await StartAsync(server, person, "action=captures.replay&trigger=user%2Fu%2Ffull");
        Assert.Equal("running", (await server.BulkAsync(waiting)).GetProperty("status").GetString());
        // A person without the right to the action sees no job, and stops none.
        var (_, stranger) = await ConsoleCookie.OfAsync(server, "read:sessions");
        var seen = await server.ConsoleAsync(stranger, HttpMethod.Get, "/console/bulk/" + waiting);
        Assert.Equal(404, seen.Status);
        var left = await PostAsync(server, person, "/console/sign-out", person.Cookie.Form());
        Assert.True(left.Status == 303, left.ToString());
        var stopped = await server.EndedBulkAsync(waiting);
        Assert.Equal(
            ("stopped", "revoked", 0),
            (
                stopped.GetProperty("status").GetString(),
                stopped.GetProperty("stoppedBecause").GetString(),
                stopped.GetProperty("done").GetInt32()
            )
        );
    }

    [Fact]
    public async Task A_job_whose_person_lost_his_role_meanwhile_ends_at_the_next_start()
    {
        var connection = PostgresServer.NewDatabase();
        await using var provider = await OpenIdProvider.StartAsync();
        string waiting;
        await using (var server = await NodeAsync(Rights))
        {
            var person = await PersonAsync(server, byProvider: true);
            await server.FullTriggerAsync("full", 3);
            waiting = await StartAsync(server, person, "action=captures.replay&trigger=user%2Fu%2Ffull");
            Assert.Equal("running", (await server.BulkAsync(waiting)).GetProperty("status").GetString());
        }
        await using var next = await NodeAsync("read:runs");
        var key = (await next.NamedKeyAsync("admin", "admin")).Key;
        JsonElement job = default;
        await WaitFor.TrueAsync(
            async () =>
            {
                job = (await next.GetAsync("/api/v1/bulk/" + waiting, key)).Json;
                return job.GetProperty("status").GetString() != "running";
            },
            TimeSpan.FromSeconds(30)
        );
        Assert.Equal("forbidden", job.GetProperty("stoppedBecause").GetString());
        Assert.Equal(0, job.GetProperty("done").GetInt32());

        Task<TestServer> NodeAsync(string role) =>
            TestServer.StartAsync(
                Backend.Postgres,
                options =>
                {
                    OidcBrowser.By(provider)(options);
                    options.Operators.Roles[Ada] = role;
                },
                connection
            );
    }

    /// <summary>A session of Ada, and the headers that her browser or proxy sends beside it.</summary>
    private static async Task<Person> PersonAsync(TestServer server, bool byProvider)
    {
        if (byProvider)
        {
            using var browser = new OidcBrowser(server);
            Assert.Equal(200, (await browser.SignInAsync()).Status);
            var cookies = browser.Cookies.GetCookies(new Uri(server.Url + "/console")).Cast<Cookie>();
            return new Person(new ConsoleCookie(cookies.Single(c => c.Name == ConsoleSessions.Cookie).Value), []);
        }
        (string, string)[] vouched = [("X-Forwarded-User", Ada)];
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
        using var request = new HttpRequestMessage(HttpMethod.Post, server.Url + "/console/sign-in");
        request.Content = new StringContent("identity=" + Uri.EscapeDataString(Ada), null, FormType);
        request.Headers.Add("X-Forwarded-User", Ada);
        using var signed = await http.SendAsync(request);
        var cookie = signed.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        return new Person(new ConsoleCookie(cookie[(cookie.IndexOf('=', StringComparison.Ordinal) + 1)..]), vouched);
    }

    /// <summary>Asks, as a person does, and starts what the page offers: the job's id.</summary>
    private static async Task<string> StartAsync(TestServer server, Person person, string query)
    {
        var page = await server.SendAsync(
            HttpMethod.Get,
            "/console/bulk/ask?" + query,
            null,
            null,
            [.. person.Cookie.Headers, .. person.Vouched]
        );
        Assert.True(page.Status == 200, page.ToString());
        var fields = Hidden()
            .Matches(page.Text)
            .Where(m => m.Groups[1].Value is "action" or "filter" or "mark")
            .Select(m => $"{m.Groups[1].Value}={Uri.EscapeDataString(WebUtility.HtmlDecode(m.Groups[2].Value))}");
        var started = await PostAsync(server, person, "/console/bulk", person.Cookie.Form(string.Join('&', fields)));
        Assert.True(started.Status == 303, started.ToString());
        return started.Header("Location")!.Split('/')[^1];
    }

    private static Task<Answer> PostAsync(TestServer server, Person person, string path, string form) =>
        SendAsync(server.Url + path, form, [.. person.Cookie.Headers, .. person.Vouched]);

    private static async Task<Answer> SendAsync(string url, string form, (string, string)[] headers)
    {
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
        using var request = new HttpRequestMessage(HttpMethod.Post, url);
        request.Content = new StringContent(form, null, FormType);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await http.SendAsync(request);
        return new Answer(answer, await answer.Content.ReadAsByteArrayAsync());
    }

    private const string FormType = "application/x-www-form-urlencoded";

    private sealed record Person(ConsoleCookie Cookie, (string Name, string Value)[] Vouched);

    [GeneratedRegex("<input type=\"hidden\" name=\"([a-z]+)\" value=\"([^\"]*)\"")]
    private static partial Regex Hidden();
}
