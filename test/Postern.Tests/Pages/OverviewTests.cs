using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Metrics;
using Postern.Storage;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The overview's charts and the page of the server: who sees them, and their content.</summary>
public sealed partial class OverviewTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task<Answer> OpenAsync(string path, params string[] scopes)
    {
        var (_, cookie) = await ConsoleCookie.OfAsync(_server, scopes);
        return await _server.SendAsync(HttpMethod.Get, "/console" + path, null, null, cookie.Headers);
    }

    [Fact]
    public async Task A_chart_is_shown_to_whom_its_list_is()
    {
        await Figures.FillAsync(_server, 5);
        var runs = await OpenAsync("", "read:runs");
        Assert.Contains("Runs, by outcome", runs.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("chart=deliveries", runs.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("chart=refusals", runs.Text, StringComparison.Ordinal);
        // A hidden thing is answered like one that does not exist.
        foreach (var chart in (string[])["commit", "refusals", "deliveries", "captures"])
        {
            var page = await OpenAsync("?chart=" + chart, "read:runs");
            Assert.Contains("Runs, by outcome", page.Text, StringComparison.Ordinal);
            Assert.DoesNotContain("node-a", page.Text, StringComparison.Ordinal);
        }
        Assert.DoesNotContain("<figure", (await OpenAsync("", "read:runs:run_1")).Text, StringComparison.Ordinal);
        Assert.Contains("node-a", (await OpenAsync("?chart=commit", "admin")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_row_says_how_many_and_leads_to_the_list_of_its_minute()
    {
        var store = _server.App.Services.GetRequiredService<MetricStore>();
        var (project, at) = (await _server.ProjectAsync(), MetricWidth.Minute.StartOf(_server.Database.Now));
        await store.WriteAsync(
            "n",
            [
                new MetricRow(MetricWidth.Minute, at, new TallyRow(project, Measure.RunsCreated, 3112, 0, null)),
                new MetricRow(MetricWidth.Minute, at, new TallyRow(project, Measure.RunsFailed, 7, 0, null)),
                new MetricRow(MetricWidth.Minute, at, new TallyRow("proj_other", Measure.RunsFailed, 999, 0, null)),
            ]
        );
        var page = await OpenAsync("", "read:runs");
        var row = Row().Match(page.Text);
        Assert.Equal(["3112", "0", "7", "0", "0"], row.Groups[2].Value.Split("<td>").Skip(1).Select(c => c.Trim()));
        var list = System.Net.WebUtility.HtmlDecode(row.Groups[1].Value);
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", _server.RootKey, new { kind = "pull" });
        Assert.Equal(200, (await OpenAsync(list["/console".Length..], "read:runs")).Status);
        Assert.DoesNotContain("999", row.Value, StringComparison.Ordinal);
    }

    [GeneratedRegex("<tr data-t=[0-9]+><th scope=row><a href=\"([^\"]+)\">[0-9:]+</a>([^\n]*)\n")]
    private static partial Regex Row();

    [Theory]
    [InlineData("?chart=none")]
    [InlineData("?span=1y")]
    [InlineData("?chart=runs&chart=runs")]
    [InlineData("?span=%00")]
    [InlineData("?colour=red")]
    public async Task An_unknown_chart_is_refused(string query) =>
        Assert.Equal(400, (await OpenAsync(query, "read:runs")).Status);

    [Fact]
    public async Task The_name_of_a_node_is_shown_as_text()
    {
        var store = _server.App.Services.GetRequiredService<MetricStore>();
        var at = MetricWidth.Minute.StartOf(_server.Database.Now);
        const string name = "<img src=x onerror=alert(1)>\u202E";
        foreach (var measure in (Measure[])[Measure.CommitTime, Measure.Memory, Measure.ServerErrors])
            await store.WriteAsync(
                name,
                [new MetricRow(MetricWidth.Minute, at, new TallyRow(Tally.Server, measure, 1, 5, null))]
            );
        foreach (var path in (string[])["?chart=errors", "/server"])
        {
            var page = await OpenAsync(path, "admin");
            Assert.Equal(200, page.Status);
            Assert.DoesNotContain("<img", page.Text, StringComparison.Ordinal);
            Assert.Contains("&lt;img src=x onerror=alert(1)&gt;", page.Text, StringComparison.Ordinal);
            Assert.DoesNotContain("\u202E", page.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_server_is_shown_to_the_admin_of_the_first_project_alone()
    {
        var page = await OpenAsync("/server", "admin");
        Assert.Equal(200, page.Status);
        Assert.Contains("id=\"doctor\"", page.Text, StringComparison.Ordinal);
        Assert.Contains("Retention:MetricDays", page.Text, StringComparison.Ordinal);
        Assert.Contains("href=\"/console/server\"", page.Text, StringComparison.Ordinal);
        Assert.Equal(403, (await OpenAsync("/server", "read:runs")).Status);
        Assert.Equal(400, (await OpenAsync("/server?x=1", "admin")).Status);

        var other = (await _server.PostAsync("/api/v1/projects", new { name = "other" })).String("rootKey");
        var key = await _server.App.Services.GetRequiredService<KeyStore>().FindAsync(ApiKey.TryParse(other)!.Value.Id);
        var cookie = await ConsoleCookie.OfAsync(_server, key!);
        var refused = await _server.SendAsync(HttpMethod.Get, "/console/server", null, null, cookie.Headers);
        Assert.Equal(403, refused.Status);
        var overview = await _server.SendAsync(HttpMethod.Get, "/console", null, null, cookie.Headers);
        Assert.DoesNotContain("/console/server", overview.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("chart=commit", overview.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_is_told_that_it_changed_once_a_second_however_much_changes()
    {
        var (_, cookie) = await ConsoleCookie.OfAsync(_server, "read:runs");
        Assert.Equal(403, (await OpenAsync("/runs/live", "read:sessions")).Status);
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", _server.RootKey, new { kind = "pull" });
        await using var stream = await _server.StreamAsync("/console/runs/live", "", cookie.Headers);
        Assert.Equal("changed", (await stream.NextAsync())!.Name);
        var began = _server.App.Services.GetRequiredService<TimeProvider>().GetTimestamp();
        for (var i = 0; i < 50; i++)
            await _server.PostAsync("/api/v1/runs", new { agent = "p" });
        Assert.Equal("changed", (await stream.NextAsync())!.Name);
        for (var i = 0; i < 50; i++)
            await _server.PostAsync("/api/v1/runs", new { agent = "p" });
        Assert.Equal("changed", (await stream.NextAsync())!.Name);
        Assert.True(TimeProvider.System.GetElapsedTime(began) >= TimeSpan.FromSeconds(0.9));
    }
}
