using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The console's page of relays: none, connected, nearly full, away, revoked; and who may open it.</summary>
public sealed class RelayPageTests
{
    [Fact]
    public async Task A_relay_is_shown_as_it_stands_to_the_admin_of_the_first_project_alone()
    {
        await using var server = await TestServer.StartAsync(set: o =>
            (o.Relay.DangerousPlainHttp, o.Relay.Transport) = (true, "websocket")
        );
        var (_, admin) = await ConsoleCookie.OfAsync(server, "admin");
        var (_, other) = await ConsoleCookie.OfAsync(server, "read:runs", "admin:sessions");
        Assert.Contains("postern plane join", (await OpenAsync(admin)).Text, StringComparison.Ordinal);
        Assert.Equal(403, (await OpenAsync(other)).Status);
        Assert.Equal(400, (await OpenAsync(admin, "?x=1")).Status);

        await using var relay = await TestRelay.StartAsync();
        relay.Ready = r => r with { Quota = new BacklogQuota(100, 1_000_000), Backlog = new BacklogSize(12, 2048, 1) };
        await relay.JoinAsync(server);
        var connection = await relay.ConnectionAsync();
        await SaysAsync("Connected.", "12 of 100 requests", "2 KiB of 977 KiB", relay.Plane, "by a WebSocket");
        await connection.SendAsync(
            new PingHead(1, relay.Now, new BacklogSize(85, 2048), new BacklogQuota(100, 1_000_000))
        );
        await SaysAsync("85 % of what it keeps waits");

        // The other side may send anything: it is shown as text.
        relay.Refuse = _ => Microsoft.AspNetCore.Http.Results.StatusCode(401);
        connection.Cut();
        await SaysAsync("Not reached, it fails at 401", "refused by somebody who is not the relay");

        async Task SaysAsync(params string[] words)
        {
            var text = "";
            await WaitFor.TrueAsync(
                async () => words.All((text = (await OpenAsync(admin)).Text).Contains),
                what: string.Join(", ", words)
            );
            Assert.DoesNotContain("<script>", text, StringComparison.Ordinal);
        }

        Task<Answer> OpenAsync(ConsoleCookie cookie, string query = "") =>
            server.SendAsync(HttpMethod.Get, "/console/relay" + query, null, null, cookie.Headers);
    }
}
