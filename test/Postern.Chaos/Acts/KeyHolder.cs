namespace Postern.Chaos.Acts;

/// <summary>
/// Makes keys, uses, rotates and revokes them, and tries revoked keys at each node. Also makes too many.
/// </summary>
internal sealed class KeyHolder(World world, string name) : Actor(world, name)
{
    protected override async Task ActAsync()
    {
        await PauseAsync(700);
        var made = await PostAsync("/api/v1/keys", new { name = $"{Name}-{Round}", scopes = new[] { "read:runs" } });
        // 409 is the quota. A repeat whose answer was lost leaves keys behind, which are revoked like the others.
        if (!Expect("create", made, 409))
        {
            await EndAllAsync();
            return;
        }
        var (id, key) = (made.String("id"), made.String("key"));
        Ledger.Acknowledge("key", new { key = id });
        var used = await GetAsync("/api/v1/runs?limit=1", key);
        // The other nodes know a key within a second.
        if (used.Status != 401)
            Expect("use", used);
        if (Chance(3))
            Expect("rotate", await PostAsync($"/api/v1/keys/{id}/rotate", new { overlapSeconds = 60 }), 404, 409);
        if (Chance(4))
            return;
        await RevokeAsync(id);
        await Task.Delay(1100, Caller.Stop);
        for (var node = 0; node < World.Cluster.Nodes.Count; node++)
        {
            var sent = Ledger.Now;
            var tried = await Caller.TryAsync(node, HttpMethod.Get, "/api/v1/runs?limit=1", null, key);
            if (tried.Status != 0)
                Ledger.Write(
                    "tried",
                    new
                    {
                        key = id,
                        node,
                        sent,
                        status = tried.Status,
                    }
                );
        }
    }

    private async Task EndAllAsync()
    {
        var all = await GetAsync("/api/v1/keys?limit=200");
        if (!Expect("list", all))
            return;
        foreach (var key in all.Json.GetProperty("data").EnumerateArray())
            if (key.GetProperty("name").GetString()!.StartsWith(Name + "-", StringComparison.Ordinal))
                await RevokeAsync(key.GetProperty("id").GetString()!);
    }

    private async Task RevokeAsync(string id)
    {
        var revoked = await Caller.InsistAsync(Random, HttpMethod.Delete, "/api/v1/keys/" + id, null, World.Root);
        // A repeat finds it gone.
        if (revoked.Ok || revoked.Status is 404 or 409)
            Ledger.Acknowledge("revoked", new { key = id });
        else
            Caller.Surprise(Name + " revoke", revoked);
    }
}
