using Microsoft.Extensions.DependencyInjection;
using Postern.Deliveries;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>Many deliveries at the same time, on both databases.</summary>
public sealed class DeliveryContract
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_80_deliveries_to_an_endpoint_that_is_gone_all_end_and_it_is_disabled(Backend backend)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(backend);
        receiver.Answers = _ => (410, "gone");
        await PutAsync(
            server,
            new
            {
                url = receiver.Url,
                events = new[] { "run.*" },
                ordered = false,
            }
        );
        await SendAsync(server, 80, ordered: false);

        await WaitFor.TrueAsync(
            async () => await CountAsync(server, "status = 'pending'") == 0,
            TimeSpan.FromSeconds(30),
            "all deliveries have ended"
        );
        Assert.Equal(80, await CountAsync(server, "status = 'dead'"));
        var hook = (await server.GetAsync("/api/v1/webhook-endpoints/hook")).Json;
        Assert.Equal(
            (false, "it answered 410 Gone"),
            (hook.GetProperty("enabled").GetBoolean(), hook.GetProperty("disabledReason").GetString())
        );
        // None was sent twice, and none failed here.
        var sent = receiver.Taken.Select(t => t.Headers["webhook-id"].ToString()).ToList();
        Assert.Equal(sent.Count, sent.Distinct().Count());
        Assert.DoesNotContain("failed here", server.Log.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task All_that_waits_for_a_disabled_endpoint_ends_however_much_it_is(Backend backend)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(backend);
        receiver.Answers = _ => (410, "gone");
        await PutAsync(server, new { url = receiver.Url, events = new[] { "run.*" } });
        // One chain of 900: the first is sent, the others wait behind it.
        await SendAsync(server, 900, ordered: true);

        await WaitFor.TrueAsync(
            async () => await CountAsync(server, "status = 'pending'") == 0,
            TimeSpan.FromSeconds(30),
            "all deliveries have ended"
        );
        Assert.Single(receiver.Taken);
        Assert.Equal(899, await CountAsync(server, "reason = 'The endpoint is disabled: it answered 410 Gone'"));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Endpoints_with_something_due_later_cost_a_delivery_nothing(Backend backend)
    {
        RecordingDatabase recording = null!;
        await using var receiver = await Receiver.StartAsync();
        await using var server = await TestServer.StartAsync(
            backend,
            wrap: inner => recording = new RecordingDatabase(inner)
        );
        await PutAsync(server, new { url = receiver.Url, events = new[] { "run.*" } });
        var project = await server.ProjectAsync();
        await server.Database.WriteAsync(async tx =>
        {
            for (var i = 0; i < 2000; i++)
            {
                await DeliveryRow.InsertAsync(
                    tx,
                    "dlv_later" + i,
                    new NewDelivery(
                        project,
                        EventPurpose.PurposeName,
                        "url:https://later" + i,
                        "run_x",
                        "x",
                        [],
                        tx.Now + 7_200_000_000
                    )
                );
            }
            return await tx.ExecuteAsync("UPDATE delivery SET due_at = $1", tx.Now + 3_600_000_000);
        });
        var looks = 0;
        recording.Seen = sql =>
            Interlocked.Add(ref looks, sql.Contains("SELECT project, endpoint", StringComparison.Ordinal) ? 1 : 0);

        await SendAsync(server, 1, ordered: false);
        await receiver.NextAsync();
        await WaitFor.TrueAsync(
            async () => await CountAsync(server, "status = 'delivered'") == 1,
            what: "the delivery has arrived"
        );
        Assert.InRange(looks, 1, 100);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_backlog_of_one_endpoint_hides_no_other(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var store = server.App.Services.GetRequiredService<DeliveryStore>();
        var project = await server.ProjectAsync();
        // Due when the server has stopped: this reads only the store.
        var due = server.Database.Now + 3_600_000_000;
        await server.Database.WriteAsync(async tx =>
        {
            for (var i = 0; i < 2500; i++)
                await AddAsync(tx, "url:https://many", i);
            await tx.ExecuteAsync("UPDATE delivery SET due_at = $1", due - 1);
            for (var i = 0; i < 400; i++)
                await AddAsync(tx, $"url:https://few{i:000}", i);
            return await tx.ExecuteAsync("UPDATE delivery SET due_at = $1 WHERE due_at <> $2", due, due - 1);
        });
        await server.App.StopAsync();
        server.Clock.Advance(TimeSpan.FromSeconds(3601));

        var found = new HashSet<string>();
        (string, string) walked = ("", "");
        for (var look = 0; look < 3; look++)
        {
            (var some, walked) = await store.DueEndpointsAsync(walked);
            found.UnionWith(some.Select(e => e.Endpoint));
        }
        Assert.Equal(401, found.Count);

        ValueTask AddAsync(Tx tx, string endpoint, int i) =>
            DeliveryRow.InsertAsync(
                tx,
                $"dlv_{endpoint[^5..]}{i}",
                new NewDelivery(
                    project,
                    EventPurpose.PurposeName,
                    endpoint,
                    "run_" + i,
                    "x",
                    [],
                    tx.Now + 72_000_000_000,
                    Ordered: false
                )
            );
    }

    private static async Task PutAsync(TestServer server, object endpoint) =>
        Assert.Equal(
            201,
            (await server.SendAsync(HttpMethod.Put, "/api/v1/webhook-endpoints/hook", server.RootKey, endpoint)).Status
        );

    /// <summary>A number of deliveries to the endpoint, committed at once.</summary>
    private static async Task SendAsync(TestServer server, int count, bool ordered)
    {
        var outbox = server.App.Services.GetRequiredService<Outbox>();
        var project = await server.ProjectAsync();
        await server.Database.WriteAsync(async tx =>
        {
            for (var i = 0; i < count; i++)
            {
                await outbox.EnqueueAsync(
                    tx,
                    new NewDelivery(
                        project,
                        EventPurpose.PurposeName,
                        WebhookEndpoints.KeyOf("hook"),
                        "run_x",
                        "run.created",
                        Outbox.Body("run.created", tx.Now, _ => { }),
                        tx.Now + Outbox.GiveUpAfter,
                        Ordered: ordered
                    )
                );
            }
            return 0;
        });
    }

    private static ValueTask<long> CountAsync(TestServer server, string which) =>
        server.Database.ReadAsync(tx =>
            tx.FirstAsync(
                $"SELECT COUNT(*) FROM delivery WHERE endpoint = 'endpoint:hook' AND {which}",
                r => r.GetInt64(0)
            )
        );
}
