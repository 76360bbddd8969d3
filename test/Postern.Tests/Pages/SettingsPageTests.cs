using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>A person's settings for the browser, and the sessions that the person may end.</summary>
public sealed partial class SettingsPageTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private Task<Answer> GetAsync(ConsoleCookie cookie, string path, string look = "") =>
        _server.SendAsync(
            HttpMethod.Get,
            "/console" + path,
            null,
            null,
            ("Cookie", $"{ConsoleSessions.Cookie}={cookie.Value}" + (look.Length == 0 ? "" : "; postern_look=" + look))
        );

    private async Task<IReadOnlyList<ConsoleSession>> SessionsAsync(KeyRow key) =>
        await _server.App.Services.GetRequiredService<ConsoleSessions>().ListAsync(key.Project, key.Id);

    [Fact]
    public async Task A_look_is_kept_by_the_browser_and_holds_on_every_page()
    {
        var (_, cookie) = await ConsoleCookie.OfAsync(_server, "read:runs");
        await _server.PostAsync("/api/v1/runs", new { agent = "echo" });
        var saved = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            "/console/settings/look",
            cookie.Form("theme=dark&zone=Europe%2FBerlin&times=exact")
        );
        Assert.Equal((303, "/console/settings"), (saved.Status, saved.Header("Location")));
        var look = saved.Header("Set-Cookie")!.Split(';')[0]["postern_look=".Length..];
        foreach (var part in (string[])["httponly", "samesite=strict", "path=/console", "max-age="])
            Assert.Contains(part, saved.Header("Set-Cookie")!, StringComparison.Ordinal);
        foreach (var path in (string[])["/runs", "/settings", "/sign-in"])
        {
            var page = (await GetAsync(cookie, path, look)).Text;
            Assert.Contains("data-theme=\"dark\"", page, StringComparison.Ordinal);
            Assert.Contains("data-keys=\"off\"", page, StringComparison.Ordinal);
        }
        Assert.Matches(
            @">\d{4}-\d\d-\d\d \d\d:\d\d:\d\d &#x2B;0[12]:00 Europe/Berlin<",
            (await GetAsync(cookie, "/runs", look)).Text
        );
        Assert.DoesNotContain("Berlin", (await GetAsync(cookie, "/runs")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_figures_of_a_chart_are_in_the_time_zone_of_the_person()
    {
        var (_, cookie) = await ConsoleCookie.OfAsync(_server, "read:runs");
        await Figures.FillAsync(_server, 5);
        var there = Figure().Match((await GetAsync(cookie, "", "theme=dark&zone=Asia%2FKolkata")).Text);
        var utc = Figure().Match((await GetAsync(cookie, "")).Text);
        Assert.Equal(["Asia/Kolkata", "UTC"], new[] { there, utc }.Select(m => m.Groups["zone"].Value));
        foreach (var shown in new[] { there, utc })
        {
            var at = DateTimeOffset.FromUnixTimeSeconds(long.Parse(shown.Groups["at"].Value));
            var offset = shown == utc ? TimeSpan.Zero : TimeSpan.FromMinutes(330);
            Assert.Equal($"{at.ToOffset(offset):HH:mm}", shown.Groups["time"].Value);
        }
    }

    [GeneratedRegex(
        "<th scope=\"col\">(?<zone>[A-Za-z/]+)</th>[^$]*?"
            + "<tr data-t=(?<at>[0-9]+)><th scope=row>(?:<a href=\"[^\"]*\">)?(?<time>[0-9:]{5})"
    )]
    private static partial Regex Figure();

    [Theory]
    [InlineData("theme=pink&zone=UTC&times=ago", "theme")]
    [InlineData("theme=dark&zone=../../etc/passwd&times=ago", "zone")]
    [InlineData("theme=dark&zone=Nowhere/Land&times=ago", "zone")]
    [InlineData("theme=dark&zone=UTC&times=never", "times")]
    [InlineData("theme=dark&zone=UTC&times=ago&keys=maybe", "keys")]
    [InlineData("theme=dark&zone=UTC&times=ago&more=1", "more")]
    public async Task An_invalid_setting_is_named(string fields, string name)
    {
        var (_, cookie) = await ConsoleCookie.OfAsync(_server, "read:runs");
        var answer = await cookie.PostAsync(_server, "/console/settings/look", fields);
        Assert.Equal(400, answer.Status);
        Assert.Contains(name + " is", answer.Text, StringComparison.Ordinal);
        Assert.Null(answer.Header("Set-Cookie"));
    }

    [Theory]
    [InlineData("theme%3D%22%3E%3Cscript%3E%26zone%3D..%2F..%2Fetc%2Fpasswd")]
    [InlineData("zone%3D%2Fetc%2Flocaltime")]
    [InlineData("%00%FF%FE")]
    [InlineData("keys%3Doff%26keys%3Don")]
    public async Task An_invalid_settings_cookie_is_ignored(string look)
    {
        var (_, cookie) = await ConsoleCookie.OfAsync(_server, "read:runs");
        var page = await GetAsync(cookie, "/settings", look);
        Assert.Equal(200, page.Status);
        Assert.Contains("data-theme=\"system\"", page.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("<script>", page.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("etc/", page.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_ends_his_own_sessions_and_an_administrator_those_of_others()
    {
        var (mine, cookie) = await ConsoleCookie.OfAsync(_server, "read:runs");
        var second = await ConsoleCookie.OfAsync(_server, mine);
        var third = await ConsoleCookie.OfAsync(_server, mine);
        var (others, other) = await ConsoleCookie.OfAsync(_server, "read:runs");
        var page = await GetAsync(cookie, "/settings");
        var theirs = Assert.Single(await SessionsAsync(others));
        Assert.DoesNotContain(theirs.Id, page.Text, StringComparison.Ordinal);
        var ids = (await SessionsAsync(mine)).Select(s => s.Id).ToList();
        Assert.Equal(3, ids.Count(id => page.Text.Contains(id, StringComparison.Ordinal)));

        // Things that the reader may not see are missing.
        var unknown = await cookie.PostAsync(_server, $"/console/settings/sessions/{theirs.Id}/end");
        var missing = await cookie.PostAsync(_server, "/console/settings/sessions/csn_none/end");
        Assert.Equal((404, missing.Text), (unknown.Status, unknown.Text));
        Assert.Equal(200, (await GetAsync(other, "/runs")).Status);

        Assert.Equal(200, (await cookie.PostAsync(_server, $"/console/settings/sessions/{ids[0]}/end")).Status);
        Assert.Equal(401, (await GetAsync(third, "/runs")).Status);
        Assert.Equal(200, (await cookie.PostAsync(_server, "/console/settings/end-others")).Status);
        Assert.Equal(401, (await GetAsync(second, "/runs")).Status);
        Assert.Equal(200, (await GetAsync(cookie, "/runs")).Status);

        var (_, admin) = await ConsoleCookie.OfAsync(_server, "admin");
        var all = await GetAsync(admin, "/settings");
        Assert.Contains(theirs.Id, all.Text, StringComparison.Ordinal);
        Assert.Equal(200, (await admin.PostAsync(_server, $"/console/settings/sessions/{theirs.Id}/end")).Status);
        Assert.Equal(401, (await GetAsync(other, "/runs")).Status);

        // Ending one's own session leads to the sign-in page, without a cookie.
        var own = await _server.ConsoleAsync(
            cookie,
            HttpMethod.Post,
            $"/console/settings/sessions/{ids[2]}/end",
            cookie.Form()
        );
        Assert.Equal("/console/sign-in", own.Header("Location"));
        Assert.Contains(ConsoleSessions.Cookie + "=;", own.Header("Set-Cookie")!, StringComparison.Ordinal);
        Assert.Equal(401, (await GetAsync(cookie, "/runs")).Status);
    }
}
