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
}
