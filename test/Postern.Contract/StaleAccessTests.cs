using System.Diagnostics;
using Postern.Support;

namespace Postern.Contract;

/// <summary>A node that cannot learn of revocations lets nobody in on old knowledge.</summary>
public sealed class StaleAccessTests
{
    [Fact]
    public async Task A_look_for_changed_keys_that_hangs_keeps_no_revoked_key_alive()
    {
        var connection = PostgresServer.NewDatabase();
        HeldDatabase held = null!;
        await using var one = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await using var other = await TestServer.StartAsync(
            Backend.Postgres,
            postgres: connection,
            wrap: inner => held = new HeldDatabase(inner)
        );
        await one.StartSessionAsync("s");
        var made = (
            await one.PostAsync("/api/v1/keys", new { name = "reader", scopes = new[] { "read:sessions" } })
        ).Json;
        var (id, key) = (made.GetProperty("id").GetString()!, made.GetProperty("key").GetString()!);
        Assert.Equal(200, (await other.GetAsync("/api/v1/sessions/s", key)).Status);

        // The connection of its look is dead; its other connections work.
        held.Hold("'access_version'");
        await held.Held;
        Assert.InRange((await one.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + id, one.RootKey)).Status, 200, 204);
        var revoked = Stopwatch.StartNew();
        while (revoked.Elapsed < TimeSpan.FromSeconds(4))
        {
            var asked = revoked.Elapsed;
            var status = (await other.GetAsync("/api/v1/sessions/s", key)).Status;
            if (asked > TimeSpan.FromSeconds(1.2))
                Assert.NotEqual(200, status);
        }
        // The look was given up and made again.
        Assert.Equal(401, (await other.GetAsync("/api/v1/sessions/s", key)).Status);
        Assert.Equal(200, (await other.GetAsync("/api/v1/sessions/s", one.RootKey)).Status);
        held.Release();
    }

    [Fact]
    public async Task Pages_that_are_open_stay_and_say_since_when_the_database_is_away_and_that_it_is_back()
    {
        HeldDatabase held = null!;
        await using var server = await TestServer.StartAsync(
            Backend.Postgres,
            wrap: inner => held = new HeldDatabase(inner)
        );
        await server.StartSessionAsync("s");
        var id = (await server.GetAsync("/api/v1/sessions/s")).String("id");
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "read:sessions");
        await using var list = await server.StreamAsync("/console/sessions/live", "", cookie.Headers);
        await using var transcript = await server.StreamAsync($"/console/sessions/{id}/live", "", cookie.Headers);
        Assert.Equal("changed", (await list.NextAsync())!.Name);
        held.Hold("'access_version'");
        await held.Held;
        foreach (var stream in (EventReader[])[list, transcript])
        {
            var away = (await StorageAsync(stream)).GetProperty("away").GetString()!;
            Assert.EndsWith("Z", away, StringComparison.Ordinal);
        }
        held.Release();
        foreach (var stream in (EventReader[])[list, transcript])
            Assert.False((await StorageAsync(stream)).TryGetProperty("away", out _));
        // They go on where they were.
        await server.SayAsync("s", "Hello, door.");
        Assert.Contains("Hello, door.", (await transcript.NextAsync())!.Data, StringComparison.Ordinal);
    }

    private static async Task<System.Text.Json.JsonElement> StorageAsync(EventReader stream)
    {
        while (await stream.NextAsync() is { } said)
            if (said.Name == "storage")
                return System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(said.Data);
        Assert.Fail("The stream has ended.");
        return default;
    }
}
