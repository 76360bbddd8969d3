namespace Postern.Support;

/// <summary>Makes dead deliveries in the real way: a subscriber refuses an event.</summary>
internal static class DeadLetters
{
    /// <summary>Puts a subscriber and sends it an event. Returns the delivery's id when it is dead.</summary>
    public static async Task<string> OneAsync(TestServer server, string url)
    {
        var put = await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/orders",
            server.RootKey,
            new { url, events = new[] { "run.created" } }
        );
        Assert.True(put.Status is 200 or 201, put.ToString());
        await server.PostAsync("/api/v1/runs", new { agent = "echo", start = false });
        var id = "";
        await WaitFor.TrueAsync(async () =>
        {
            var dead = (await server.GetAsync("/api/v1/deliveries?status=dead")).Json.GetProperty("data");
            id = dead.GetArrayLength() > 0 ? dead[0].GetProperty("id").GetString()! : "";
            return id.Length > 0;
        });
        return id;
    }
}
