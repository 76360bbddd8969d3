using Microsoft.Extensions.DependencyInjection;
using Postern.Pages;
using Postern.Support;

namespace Postern.Contract;

/// <summary>Stuck things are found, whatever the cause; captures and deliveries explain themselves.</summary>
public sealed class StuckTests
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Each_kind_is_found_once_and_says_why(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var stuck = server.App.Services.GetRequiredService<Stuck>();
        var project = await server.ProjectAsync();
        Assert.Empty(await stuck.FindAsync(project, isAdmin: true));
        await using var scene = await StuckScene.MakeAsync(server);
        string[] expected =
        [
            .. ((string[])["busy", "silent", "asks", "nobody", "slow"]).Select(name => scene.Of[name].Run),
            scene.Behind,
        ];
        foreach (var isAdmin in (bool[])[true, false])
        {
            var found = await stuck.FindAsync(project, isAdmin);
            Assert.Equal(expected.Order(StringComparer.Ordinal), found.Select(t => t.Id).Order(StringComparer.Ordinal));
            Assert.Equal(found.Select(t => t.Since).Order(), found.Select(t => t.Since));
        }
        Assert.Empty(await stuck.FindAsync("proj_other", isAdmin: true));
        foreach (
            var (name, code, said) in ((string, string, string)[])
                [
                    ("busy", "dispatch_retry", "busy answered 503 \"the model is loading now\"; tried "),
                    ("silent", "awaiting_report", "silent has the run (attempt 1)"),
                    ("asks", "awaiting_approval", "Drop the table orders"),
                    ("nobody", "no_worker", "No worker of nobody has ever asked for work."),
                ]
        )
        {
            var why = (await scene.CaptureAsync(name, scene.Of[name].Capture)).GetProperty("why");
            Assert.Equal(code, why.GetProperty("code").GetString());
            Assert.Contains(said, why.GetProperty("text").GetString(), StringComparison.Ordinal);
            Assert.NotEqual("", why.GetProperty("next").GetProperty("at").GetString());
        }
        var behind = (await scene.CaptureAsync("slow", scene.Behind)).GetProperty("why");
        Assert.Equal("behind_run", behind.GetProperty("code").GetString());
        Assert.Contains(scene.Of["slow"].Run, behind.GetProperty("text").GetString(), StringComparison.Ordinal);
        // An ended capture has no explanation.
        var failed = await scene.CaptureAsync("wrong", scene.Of["wrong"].Capture);
        Assert.False(failed.TryGetProperty("why", out _));
        Assert.Contains("401", failed.GetProperty("errorMessage").GetString(), StringComparison.Ordinal);
        // A run that has ended is not stuck, though its dispatch waits for its next try.
        var busy = scene.Of["busy"].Run;
        Assert.Equal(200, (await server.PostAsync($"/api/v1/runs/{busy}/cancel", new { })).Status);
        Assert.DoesNotContain(await stuck.FindAsync(project, isAdmin: true), t => t.Id == busy);
        Assert.DoesNotContain(await stuck.FindAsync(project, isAdmin: false), t => t.Id == busy);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_delivery_says_why_and_is_tried_at_once_when_asked(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend, o => o.Deliveries.CircuitFailures = 100);
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (500, "not \"now\"");
        var put = await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/orders",
            server.RootKey,
            new { url = receiver.Url, events = new[] { "run.created", "run.cancelled" } }
        );
        Assert.Equal(201, put.Status);
        var run = (await server.PostAsync("/api/v1/runs", new { agent = "echo", start = false })).String("id");
        Assert.Equal(200, (await server.PostAsync($"/api/v1/runs/{run}/cancel", null)).Status);
        await receiver.NextAsync(2);
        var list = (await server.GetAsync("/api/v1/deliveries?subject=" + run)).Json.GetProperty("data");
        var (second, first) = (list[0].GetProperty("id").GetString(), list[1].GetProperty("id").GetString());
        var behind = (await server.GetAsync("/api/v1/deliveries/" + second)).Json.GetProperty("why");
        Assert.Equal("behind_delivery", behind.GetProperty("code").GetString());
        // The next try is minutes away; asked for, it is made at once.
        await WaitFor.TrueAsync(async () =>
        {
            var read = (await server.GetAsync("/api/v1/deliveries/" + first)).Json;
            return read.GetProperty("attemptCount").GetInt32() == receiver.Taken.Count
                && read.GetProperty("why").GetProperty("code").GetString() == "delivery_retry"
                && read.GetProperty("why")
                    .GetProperty("text")
                    .GetString()!
                    .StartsWith("orders answered 500 \"not  now \"; tried ", StringComparison.Ordinal);
        });
        receiver.Answers = _ => (200, "");
        Assert.Equal(200, (await server.PostAsync($"/api/v1/deliveries/{first}/retry", null)).Status);
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/deliveries/" + second)).String("status") == "delivered"
        );
        Assert.False((await server.GetAsync("/api/v1/deliveries/" + first)).Json.TryGetProperty("why", out _));
    }
}
