using Microsoft.Extensions.DependencyInjection;
using Postern.Deliveries;
using Postern.Support;

namespace Postern.Tests.Deliveries;

/// <summary>Deliveries under way when the server or its database stops.</summary>
public sealed class StopTests
{
    [Fact]
    public async Task A_stop_lets_what_is_under_way_finish_and_gives_back_what_has_not_begun()
    {
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(set: o => o.Deliveries.EndpointConcurrency = 1);
        receiver.Handle = _ => answer.Task;
        await PutAsync(server, receiver);
        var ids = new List<string>();
        for (var i = 0; i < 3; i++)
            ids.Add(await TestAsync(server));
        await receiver.NextAsync();

        var stopped = server.App.StopAsync();
        await WaitFor.TrueAsync(
            async () => await CountAsync(server, "leased_at IS NOT NULL") == 1,
            what: "what has not begun is given back"
        );
        Assert.Equal(
            2,
            await CountAsync(server, "status = 'pending' AND leased_at IS NULL AND due_at <= " + server.Database.Now)
        );
        answer.SetResult();
        await stopped;

        Assert.Equal((1, 1), (await CountAsync(server, "status = 'delivered' AND attempts = 1"), receiver.Taken.Count));
        Assert.Equal(2, await CountAsync(server, "status = 'pending' AND attempts = 0"));
    }

    [Fact]
    public async Task A_stop_gives_back_what_does_not_finish_in_time()
    {
        var never = new TaskCompletionSource();
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync();
        receiver.Handle = http => never.Task.WaitAsync(http.RequestAborted);
        await PutAsync(server, receiver);
        await TestAsync(server);
        await receiver.NextAsync();

        using var atOnce = new CancellationTokenSource();
        await atOnce.CancelAsync();
        await server.App.Services.GetRequiredService<DeliveryWorker>().StopAsync(atOnce.Token);
        Assert.Equal(
            1,
            await CountAsync(
                server,
                "status = 'pending' AND leased_at IS NULL AND attempts = 0 AND due_at <= " + server.Database.Now
            )
        );
    }

    [Fact]
    public async Task A_record_that_fails_is_made_again_and_the_request_is_not()
    {
        FaultyDatabase faulty = null!;
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(wrap: inner => faulty = new FaultyDatabase(inner));
        await PutAsync(server, receiver);
        faulty.FailAt(1, Delivery.Delivered);
        var id = await TestAsync(server);
        await WaitFor.TrueAsync(() => Task.FromResult(faulty.Steps > 0), what: "its record has failed");
        faulty.FailAt(0, Delivery.Delivered);
        await WaitFor.TrueAsync(
            async () => (await server.GetAsync("/api/v1/deliveries/" + id)).String("status") == "delivered",
            what: "it is recorded"
        );
        Assert.Single(receiver.Taken);
        Assert.Equal(
            1,
            (await server.GetAsync("/api/v1/deliveries/" + id)).Json.GetProperty("attemptCount").GetInt32()
        );
    }

    [Fact]
    public async Task Deliveries_of_a_dead_node_are_taken_over_in_seconds_and_a_slow_receiver_gets_one_request()
    {
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync();
        receiver.Handle = _ => answer.Task;
        await PutAsync(server, receiver);
        await TestAsync(server);
        await receiver.NextAsync();
        // The lease of a dead node, beside the one held here.
        var project = await server.ProjectAsync();
        await server.Database.WriteAsync(async tx =>
        {
            await DeliveryRow.InsertAsync(
                tx,
                "dlv_lost",
                new NewDelivery(
                    project,
                    EventPurpose.PurposeName,
                    WebhookEndpoints.KeyOf("other"),
                    "run_x",
                    "x",
                    "{}"u8.ToArray(),
                    tx.Now + Outbox.GiveUpAfter
                )
            );
            return await tx.ExecuteAsync(
                "UPDATE delivery SET due_at = $1, leased_at = $2 WHERE id = 'dlv_lost'",
                tx.Now + 10_000_000,
                tx.Now
            );
        });

        server.Clock.Advance(TimeSpan.FromSeconds(11));
        await WaitFor.TrueAsync(
            async () => (await server.GetAsync("/api/v1/deliveries/dlv_lost")).String("status") == "dead",
            what: "its endpoint is not there"
        );
        Assert.Single(receiver.Taken);
        answer.SetResult();
        await WaitFor.TrueAsync(
            async () => await CountAsync(server, "status = 'delivered'") == 1,
            what: "it is recorded"
        );
        Assert.Single(receiver.Taken);
    }

    private static async Task PutAsync(TestServer server, Receiver receiver) =>
        Assert.Equal(
            201,
            (
                await server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/webhook-endpoints/hook",
                    server.RootKey,
                    new { url = receiver.Url, events = new[] { "approval.*" } }
                )
            ).Status
        );

    private static async Task<string> TestAsync(TestServer server) =>
        (await server.PostAsync("/api/v1/webhook-endpoints/hook/test", null)).String("deliveryId");

    private static ValueTask<long> CountAsync(TestServer server, string which) =>
        server.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT COUNT(*) FROM delivery WHERE " + which, r => r.GetInt64(0))
        );
}
