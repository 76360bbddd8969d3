using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The console's pages of keys, doors and the audit: who sees them, and their forms.</summary>
public sealed partial class KeyPageTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private ConsoleCookie _admin = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        (_, _admin) = await ConsoleCookie.OfAsync(_server, "admin");
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private Task<Answer> OpenAsync(string path, ConsoleCookie? cookie = null) =>
        _server.ConsoleAsync(cookie ?? _admin, HttpMethod.Get, "/console" + path);

    private Task<Answer> SendAsync(string path, string fields, ConsoleCookie? cookie = null, string? once = null) =>
        _server.ConsoleAsync(
            cookie ?? _admin,
            HttpMethod.Post,
            "/console" + path,
            (cookie ?? _admin).Form(fields, once)
        );

    private static string TextOf(Answer page) => WebUtility.HtmlDecode(Tag().Replace(page.Text, " "));

    [Fact]
    public async Task A_key_is_made_once_and_its_text_is_in_that_answer_alone()
    {
        const string fields = "name=reader&kind=live&scopes=read%3Aruns%0Aread%3Asessions&ends=30d";
        var made = await SendAsync("/keys", fields, once: "0123456789abcdef");
        Assert.Equal(200, made.Status);
        var key = Key().Match(made.Text).Value;
        Assert.Equal(200, (await _server.GetAsync("/api/v1/runs", key)).Status);
        Assert.Equal(403, (await _server.GetAsync("/api/v1/keys", key)).Status);
        var id = ApiKey.TryParse(key)!.Value.Id;
        var again = await SendAsync("/keys", fields, once: "0123456789abcdef");
        Assert.Equal((303, "/console/keys/" + id), (again.Status, again.Header("Location")));
        foreach (var path in (string[])["/keys", "/keys/" + id, "/audit"])
            Assert.DoesNotContain(key, (await OpenAsync(path)).Text, StringComparison.Ordinal);
        var row = (await _server.GetAsync("/api/v1/audit?action=key.created&credential=console")).Json.GetProperty(
            "data"
        );
        Assert.Equal(id, Assert.Single(row.EnumerateArray()).GetProperty("reason").GetString());
    }

    [Theory]
    [InlineData("name=&kind=live", "name ")]
    [InlineData("name=a&kind=root", "kind ")]
    [InlineData("name=a&kind=live&scopes=read%3Anothing", "scopes ")]
    [InlineData("name=a&kind=live&scopes=x&ends=", "scopes ")]
    [InlineData("name=a&kind=live&ends=yesterday", "ends ")]
    [InlineData("name=a&kind=live&ends=2001-01-01", "ends ")]
    public async Task An_invalid_field_of_a_new_key_is_named_and_makes_no_key(string fields, string named)
    {
        var before = await _server.CountRowsAsync();
        var refused = await SendAsync("/keys", fields);
        Assert.Equal(400, refused.Status);
        Assert.Contains(named, TextOf(refused), StringComparison.Ordinal);
        Assert.Equal(before, await _server.CountRowsAsync());
    }

    [Fact]
    public async Task Tokens_of_a_session_are_no_wider_and_no_longer_than_its_key()
    {
        // The root key implies all scopes, and hands on by name those that it has by name.
        Assert.Equal(200, (await SendAsync("/keys", "name=wide&kind=live")).Status);
        Assert.Equal(403, (await SendAsync("/keys", "name=decider&kind=live&scopes=write%3Aapprovals")).Status);
        var (key, _) = await _server.NamedKeyAsync("ends", "admin");
        await _server.SendAsync(
            HttpMethod.Patch,
            "/api/v1/keys/" + key,
            _server.RootKey,
            new { expiresAt = _server.Clock.GetUtcNow().AddHours(1) }
        );
        var row = (await _server.App.Services.GetRequiredService<KeyStore>().FindAsync(key))!;
        var cookie = await ConsoleCookie.OfAsync(_server, row);
        Assert.Equal(403, (await SendAsync("/keys", "name=longer&kind=live&scopes=read%3Aruns", cookie)).Status);
        Assert.Equal(
            200,
            (await SendAsync("/keys", "name=shorter&kind=live&scopes=read%3Aruns&ends=5m", cookie)).Status
        );
        Assert.Equal(403, (await SendAsync("/keys/" + key, "name=ends&scopes=admin&ends=", cookie)).Status);
    }

    [Fact]
    public async Task Revoking_asks_first_names_the_key_and_lists_what_ended_with_it()
    {
        var (row, theirs) = await ConsoleCookie.OfAsync(_server, "read:runs");
        var ask = await OpenAsync($"/keys/{row.Id}/revoke");
        Assert.Contains(row.Id, TextOf(ask), StringComparison.Ordinal);
        Assert.Equal(200, (await OpenAsync("/runs", theirs)).Status);
        var done = await SendAsync($"/keys/{row.Id}/revoke", "");
        Assert.Equal((303, "/console/keys/" + row.Id), (done.Status, done.Header("Location")));
        Assert.Equal(401, (await OpenAsync("/runs", theirs)).Status);
        Assert.Contains("key revoked", TextOf(await OpenAsync("/keys/" + row.Id)), StringComparison.Ordinal);
        Assert.Equal(409, (await OpenAsync($"/keys/{row.Id}/revoke")).Status);
        Assert.Equal(409, (await SendAsync($"/keys/{row.Id}/revoke", "")).Status);
        // The root key is rotated, not revoked.
        var root = ApiKey.TryParse(_server.RootKey)!.Value.Id;
        Assert.Equal(
            (409, 409),
            ((await OpenAsync($"/keys/{root}/revoke")).Status, (await SendAsync($"/keys/{root}/revoke", "")).Status)
        );
    }

    [Fact]
    public async Task A_key_is_rotated_and_narrowed_and_what_stands_as_it_was_is_no_change()
    {
        var (id, old) = await _server.NamedKeyAsync("turned", "read:runs", "read:sessions");
        var rotated = await SendAsync($"/keys/{id}/rotate", "overlap=0");
        var fresh = Key().Match(rotated.Text).Value;
        Assert.Equal(
            (200, 401),
            (
                (await _server.GetAsync("/api/v1/runs", fresh)).Status,
                (await _server.GetAsync("/api/v1/runs", old)).Status
            )
        );
        Assert.Equal(303, (await SendAsync("/keys/" + id, "name=turned&scopes=read%3Asessions&ends=")).Status);
        Assert.Equal(403, (await _server.GetAsync("/api/v1/runs", fresh)).Status);
        Assert.Equal(400, (await SendAsync($"/keys/{id}/rotate", "overlap=9999999999")).Status);
    }

    [Fact]
    public async Task Only_administrators_see_it()
    {
        var (id, _) = await _server.NamedKeyAsync("other", "read:runs");
        var refused = (await _server.GetAsync("/api/v1/runs", "wrong")).Header("X-Refusal-Id");
        foreach (var scope in (string[])["read:all", "admin:all", "read:keys", "write:all"])
        {
            var (_, cookie) = await ConsoleCookie.OfAsync(_server, scope);
            foreach (
                var path in (string[])
                    [
                        "/keys",
                        "/keys?tab=sessions",
                        "/keys/" + id,
                        $"/keys/{id}/revoke",
                        "/doors",
                        "/doors/refused",
                        "/audit",
                        "/audit/" + refused,
                        "/tokens/revoke?jti=x",
                    ]
            )
                Assert.True((await OpenAsync(path, cookie)).Status == 403, $"{scope} {path}");
            foreach (
                var path in (string[])["/keys", "/keys/" + id, $"/keys/{id}/revoke", "/tokens", "/callback-secrets"]
            )
                Assert.True((await SendAsync(path, "", cookie)).Status == 403, $"{scope} POST {path}");
            var overview = await OpenAsync("", cookie);
            Assert.DoesNotContain("/console/keys", overview.Text, StringComparison.Ordinal);
            // A search shows nothing that the reader may not read.
            foreach (var text in (string[])[id, id[..12], refused!])
                Assert.Contains(
                    "Nothing that you may see",
                    TextOf(await OpenAsync("/find?q=" + text, cookie)),
                    StringComparison.Ordinal
                );
        }
        Assert.Equal(200, (await OpenAsync("/keys/" + id)).Status);
    }

    [Fact]
    public async Task Keys_rows_and_sessions_of_another_project_are_not_found()
    {
        var made = await _server.PostAsync("/api/v1/projects", new { name = "other" });
        var theirs = ApiKey.TryParse(made.String("rootKey"))!.Value.Id;
        var scope = (await _server.GetAsync("/api/v1/projects", made.String("rootKey"))).Header("X-Refusal-Id")!;
        foreach (var path in (string[])["/keys/" + theirs, $"/keys/{theirs}/rotate", "/audit/" + scope])
            Assert.Equal(404, (await OpenAsync(path)).Status);
        Assert.Equal(400, (await OpenAsync("/doors?key=" + theirs)).Status);
        Assert.Contains(
            "Nothing that you may see",
            TextOf(await OpenAsync("/find?q=" + theirs)),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "There is no refusal",
            TextOf(await OpenAsync("/doors/refused?id=" + scope)),
            StringComparison.Ordinal
        );
        // And they do not read things that belong to no project.
        var row = (await _server.App.Services.GetRequiredService<KeyStore>().FindAsync(theirs))!;
        var cookie = await ConsoleCookie.OfAsync(_server, row);
        var stranger = (await _server.GetAsync("/api/v1/runs", "wrong")).Header("X-Refusal-Id");
        Assert.Equal(404, (await OpenAsync("/audit/" + stranger, cookie)).Status);
        Assert.Equal(303, (await OpenAsync("/doors/refused?id=" + stranger)).Status);
        var session = (
            await _server.App.Services.GetRequiredService<ConsoleSessions>().OfCredentialAsync(row.Project, theirs, 1)
        )[0];
        Assert.Equal(404, (await SendAsync($"/console-sessions/{session.Id}/end", "")).Status);
        Assert.Equal(200, (await OpenAsync("/keys", cookie)).Status);
    }

    [Fact]
    public async Task The_page_of_doors_agrees_with_the_doors()
    {
        await _server.StartSessionAsync("s");
        var keys = new (string Id, string Key)[]
        {
            await _server.NamedKeyAsync("narrow", "read:runs"),
            await _server.NamedKeyAsync("one", "read:sessions:s"),
            await _server.NamedKeyAsync("reads", "read:all"),
            await _server.NamedKeyAsync("all"),
            await _server.NamedKeyAsync("admin", "admin"),
        };
        var doors = _server
            .Doors.Table.Where(d =>
                d.Method == "GET"
                && !d.Path.Contains('{')
                && !d.Path.EndsWith("/live", StringComparison.Ordinal)
                && (d.Credentials & Credentials.Key) != 0
            )
            .ToList();
        Assert.True(doors.Count > 10, "the doors were found");
        foreach (var (id, key) in keys)
        {
            var shown = new Dictionary<string, string>(StringComparer.Ordinal);
            for (string? path = $"/doors?key={id}&takes=Key&size=200"; path is not null; )
            {
                var page = await OpenAsync(path);
                foreach (Match row in Row().Matches(page.Text))
                    shown[row.Groups[1].Value + " " + row.Groups[2].Value] = row.Groups[3].Value;
                path = Further().Match(page.Text) is { Success: true } next
                    ? WebUtility.HtmlDecode(next.Groups[1].Value)["/console".Length..]
                    : null;
            }
            foreach (var door in doors)
            {
                var answer = await _server.GetAsync(door.Path, key);
                var opens = shown[$"{door.Method} {door.Path}"];
                // Where the handler decides by the request, the page says so and promises nothing.
                Assert.True(
                    opens is "asks" || answer.Status is not (401 or 403) == opens is "opens" or "some",
                    $"{id} {door.Path}: {answer.Status}, shown as {opens}"
                );
            }
        }
        var token = TextOf(await OpenAsync("/doors?scopes=read%3Aruns&path=/api/v1/runs&takes=Token"));
        Assert.Contains("lacks write:runs", token, StringComparison.Ordinal);
        Assert.Contains("A token with read:runs", token, StringComparison.Ordinal);
        Assert.Equal(400, (await OpenAsync("/doors?scopes=read:runs&identity=ada")).Status);
        Assert.Equal(400, (await OpenAsync("/doors?scopes=nonsense")).Status);
        Assert.Equal(400, (await OpenAsync("/doors?outcome=never")).Status);
        Assert.Contains(
            "operator",
            TextOf(await OpenAsync("/doors?identity=ada&takes=Operator")) + "operator",
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_refusal_is_explained_by_what_came_what_is_accepted_and_what_to_do()
    {
        var (id, key) = await _server.NamedKeyAsync("gone", "read:runs");
        var scope = (await _server.GetAsync("/api/v1/keys", key)).Header("X-Refusal-Id")!;
        var page = TextOf(await OpenAsync("/audit/" + scope));
        Assert.Contains(
            $"A credential (key) of {id} was sent. It is good, but does not give admin.",
            page,
            StringComparison.Ordinal
        );
        Assert.Contains("a key of a project", page, StringComparison.Ordinal);
        await _server.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + id, _server.RootKey);
        var revoked = (await _server.GetAsync("/api/v1/runs", key)).Header("X-Refusal-Id")!;
        Assert.Contains(
            $"The key {id} was sent after it was revoked.",
            TextOf(await OpenAsync("/audit/" + revoked)),
            StringComparison.Ordinal
        );
        // Another refusal looked the same to its sender: the page of the first one shows the reason too.
        await _server.GetAsync("/api/v1/runs", "pst_live_cut");
        Assert.Contains("mistyped_key", TextOf(await OpenAsync("/audit/" + revoked)), StringComparison.Ordinal);
        foreach (
            var query in (string[])
                ["actor=" + id, "address=127.0.0.1", "route=GET%20/api/v1/runs", "reason=revoked_key"]
        )
            Assert.Contains(
                "after it was revoked",
                TextOf(await OpenAsync("/doors/refused?" + query)),
                StringComparison.Ordinal
            );
        Assert.Equal("/console/audit/" + revoked, (await OpenAsync("/find?q=" + revoked)).Header("Location"));
        Assert.Equal("/console/keys/" + id, (await OpenAsync("/find?q=" + id)).Header("Location"));
        Assert.Equal(400, (await OpenAsync("/doors/refused?at=soon")).Status);
        Assert.Equal(404, (await OpenAsync("/audit/aud_" + new string('0', 26))).Status);
    }

    [Fact]
    public async Task Tokens_and_secrets_are_made_once_and_ended()
    {
        var made = await SendAsync("/tokens", "scopes=read%3Aruns&life=1h");
        var token = Token().Match(made.Text).Value;
        Assert.Equal(200, (await _server.GetAsync("/api/v1/runs", token)).Status);
        var named = await SendAsync("/tokens/name", "token=" + token);
        var ask = await OpenAsync(named.Header("Location")!["/console".Length..]);
        Assert.DoesNotContain(token, ask.Text, StringComparison.Ordinal);
        Assert.Equal(303, (await SendAsync("/tokens/revoke", named.Header("Location")!.Split('?')[1])).Status);
        Assert.Equal(401, (await _server.GetAsync("/api/v1/runs", token)).Status);
        Assert.Equal(400, (await SendAsync("/tokens", "scopes=read%3Aruns&life=31d")).Status);
        Assert.Equal(400, (await SendAsync("/tokens", "scopes=&life=1h")).Status);
        Assert.Equal(400, (await OpenAsync("/tokens/revoke")).Status);
        Assert.Equal(400, (await OpenAsync("/tokens/revoke?subject=a&before=soon")).Status);

        var secret = Secret().Match((await SendAsync("/callback-secrets", "")).Text).Value;
        Assert.NotEqual("", secret);
        Assert.Equal(200, (await SendAsync("/callback-secrets", "")).Status);
        Assert.Equal(409, (await SendAsync("/callback-secrets", "")).Status);
        var listed = await OpenAsync("/keys?tab=secrets");
        Assert.DoesNotContain(secret, listed.Text, StringComparison.Ordinal);
        var id = Regex.Match(listed.Text, "cbs_[0-9a-z]{26}").Value;
        Assert.Contains(id, TextOf(await OpenAsync($"/callback-secrets/{id}/revoke")), StringComparison.Ordinal);
        Assert.Equal(303, (await SendAsync($"/callback-secrets/{id}/revoke", "")).Status);
        Assert.Equal(404, (await SendAsync($"/callback-secrets/{id}/revoke", "")).Status);

        var service = new { secrets = new[] { "a secret of the service, long enough" } };
        await _server.SendAsync(HttpMethod.Put, "/api/v1/approval-services/bot", _server.RootKey, service);
        Assert.Contains("bot", TextOf(await OpenAsync("/approval-services/bot/delete")), StringComparison.Ordinal);
        Assert.Equal(303, (await SendAsync("/approval-services/bot/delete", "")).Status);
        Assert.Equal(404, (await OpenAsync("/approval-services/bot/delete")).Status);

        var (row, theirs) = await ConsoleCookie.OfAsync(_server, "read:runs");
        var sessions = _server.App.Services.GetRequiredService<ConsoleSessions>();
        var session = (await sessions.OfCredentialAsync(row.Project, row.Id, 1))[0];
        Assert.Contains(session.Id, (await OpenAsync("/keys?tab=sessions")).Text, StringComparison.Ordinal);
        Assert.Equal(303, (await SendAsync($"/console-sessions/{session.Id}/end", "")).Status);
        Assert.Equal(401, (await OpenAsync("/runs", theirs)).Status);
    }

    [Fact]
    public async Task Things_are_found_by_what_people_call_them()
    {
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/writer", _server.RootKey, new { kind = "pull" });
        await _server.PostAsync("/api/triggers/user/ada/orders-paid", new { agent = "writer", promptTemplate = "x" });
        var captured = await _server.SendAsync(
            HttpMethod.Post,
            "/inbound/user/ada/orders-paid",
            null,
            "{}",
            ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
        );
        var capture = captured.Json.GetProperty("data").GetProperty("requestId").GetString()!;
        foreach (
            var text in (string[])
                ["writer", "orders-paid", "user/ada/orders-paid", capture, "72d3162e-cc78-11e3-81ab-4c9367dc0958"]
        )
        {
            var found = await OpenAsync("/find?q=" + Uri.EscapeDataString(text));
            Assert.True(found.Status == 303, $"{text}: {TextOf(found)}");
        }
        var (_, narrow) = await ConsoleCookie.OfAsync(_server, "read:triggers:user/ada/other", "read:tasks:other");
        foreach (var text in (string[])["writer", "orders-paid", capture, "72d3162e-cc78-11e3-81ab-4c9367dc0958"])
            Assert.Contains(
                "Nothing that you may see",
                TextOf(await OpenAsync("/find?q=" + Uri.EscapeDataString(text), narrow)),
                StringComparison.Ordinal
            );
    }

    [Fact]
    public async Task A_key_shows_from_where_it_was_used_and_what_it_started()
    {
        var (id, key) = await _server.NamedKeyAsync("worker", "admin");
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "echo", start = false }, key)).String("id");
        await _server.PostAsync("/api/v1/auth/public-tokens", new { scopes = new[] { "read:runs" } }, key);
        var store = _server.App.Services.GetRequiredService<KeyStore>();
        var (page, text) = (await OpenAsync("/keys/" + id), "");
        text = TextOf(page);
        Assert.Contains("127.0.0.1", text, StringComparison.Ordinal);
        Assert.Contains(run, page.Text, StringComparison.Ordinal);
        Assert.Single(await store.AddressesAsync(await _server.ProjectAsync(), id));
        Assert.Contains("token.minted", text, StringComparison.Ordinal);
        for (var i = 0; i < 150; i++)
            await store.MarkAddressesAsync([
                (await _server.ProjectAsync(), id, "10.0.0." + i, _server.Database.Now + i),
            ]);
        Assert.Equal(100, (await store.AddressesAsync(await _server.ProjectAsync(), id)).Count);
    }

    [GeneratedRegex("<[^>]*>")]
    private static partial Regex Tag();

    [GeneratedRegex("pst_live_[0-9A-Za-z_]+")]
    private static partial Regex Key();

    [GeneratedRegex("eyJ[0-9A-Za-z_.-]+")]
    private static partial Regex Token();

    [GeneratedRegex("pst_cbs_[0-9a-f]+")]
    private static partial Regex Secret();

    [GeneratedRegex(
        "<b>([A-Z]+)</b> <code>([^<]+)</code></td>.*?</svg>(opens|some|asks|closed)",
        RegexOptions.Singleline
    )]
    private static partial Regex Row();

    [GeneratedRegex("<a href=\"([^\"]+)\" rel=\"next\"")]
    private static partial Regex Further();
}
