using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Support;

namespace Postern.Contract;

/// <summary>Signing in with an identity provider on both databases, and on two nodes.</summary>
public sealed class OidcContract
{
    private const string Runs = "?next=%2Fconsole%2Fruns";

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_sign_in_is_taken_once_however_many_copies_come(Backend backend)
    {
        await using var provider = await OpenIdProvider.StartAsync();
        await using var server = await TestServer.StartAsync(backend, OidcBrowser.By(provider));
        using var browser = new OidcBrowser(server);
        var back = await browser.BackAsync();
        var cookies = browser.Cookies.GetCookieHeader(new Uri(back));
        var all = await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(_ =>
                    server.SendAsync(HttpMethod.Get, new Uri(back).PathAndQuery, null, null, ("Cookie", cookies))
                )
        );
        Assert.Single(all, a => a.Status == 200);
        Assert.Equal(7, all.Count(a => a.Status == 400));
        Assert.Equal(1, provider.Redeemed);
        Assert.Equal(200, (await browser.SignInAsync()).Status);
        Assert.Equal(200, (await browser.GetAsync(server.Url + "/console/runs")).Status);
        var sessions = await server
            .App.Services.GetRequiredService<ConsoleSessions>()
            .ListAsync(await server.ProjectAsync(), ConsolePerson.OfOidc + "ada@example.com");
        Assert.Equal((2, "ada@example.com"), (sessions.Count, sessions[0].Person));
        Assert.All(sessions, s => Assert.Equal(["ada@example.com"], s.Roles));
    }

    [Fact]
    public async Task It_begins_on_one_node_and_ends_on_another_and_ends_with_its_role()
    {
        var connection = PostgresServer.NewDatabase();
        await using var provider = await OpenIdProvider.StartAsync();
        await using var one = await TestServer.StartAsync(Backend.Postgres, OidcBrowser.By(provider), connection);
        await using var other = await TestServer.StartAsync(Backend.Postgres, OidcBrowser.By(provider), connection);
        using var browser = new OidcBrowser(one);
        var back = await browser.BackAsync(Runs);
        // Cookies ignore ports: the browser sends the cookie of one node to the other.
        var there = other.Url + new Uri(back).PathAndQuery;
        // The code is bound to the address that it was asked for.
        Assert.Equal(200, (await browser.GetAsync(there)).Status);
        Assert.Equal(200, (await browser.GetAsync(one.Url + "/console/runs")).Status);
        Assert.Equal(200, (await browser.GetAsync(other.Url + "/console/runs")).Status);

        await using var changed = await TestServer.StartAsync(
            Backend.Postgres,
            options =>
            {
                OidcBrowser.By(provider)(options);
                options.Operators.Roles.Remove("ada@example.com");
            },
            connection
        );
        await using var off = await TestServer.StartAsync(
            Backend.Postgres,
            options => options.Operators.Roles["ada@example.com"] = "admin",
            connection
        );
        foreach (var node in (TestServer[])[changed, off])
            Assert.Equal(303, (await browser.GetAsync(node.Url + "/console/runs", "text/html")).Status);
    }
}
