using System.Globalization;
using System.Text.Json;
using Postern.Http;
using Postern.Support;
using Postern.Triggers;

namespace Postern.Tests.Triggers;

/// <summary>Cron expressions in time zones, and schedules that fire, catch up and skip.</summary>
public sealed class ScheduleTests
{
    private static long At(string utc) => Wire.Microseconds(DateTimeOffset.Parse(utc, CultureInfo.InvariantCulture));

    /// <summary>Spring: the hour that is left out (what falls into it runs when it is over). Autumn: the hour that comes twice.</summary>
    [Theory]
    [InlineData("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-28T01:30:00Z|2026-03-29T01:00:00Z|2026-03-30T00:30:00Z")]
    [InlineData("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z|2026-03-30T01:00:00Z")]
    [InlineData("0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T00:00:00Z|2026-03-29T01:00:00Z|2026-03-29T02:00:00Z")]
    [InlineData("0 4 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T03:00:00Z|2026-10-26T03:00:00Z")]
    [InlineData("0 9 * * *", "America/New_York", "2026-03-07T00:00:00Z", "2026-03-07T14:00:00Z|2026-03-08T13:00:00Z")]
    [InlineData("0 9 * * *", "America/New_York", "2026-10-31T00:00:00Z", "2026-10-31T13:00:00Z|2026-11-01T14:00:00Z")]
    [InlineData("0 9 * * *", "Australia/Lord_Howe", "2026-04-03T12:00:00Z", "2026-04-03T22:00:00Z|2026-04-04T22:30:00Z")]
    [InlineData("0 9 * * *", "Australia/Lord_Howe", "2026-10-02T12:00:00Z", "2026-10-02T22:30:00Z|2026-10-03T22:00:00Z")]
    [InlineData("0 9 * * *", "Asia/Tokyo", "2026-03-28T01:00:00Z", "2026-03-29T00:00:00Z|2026-03-30T00:00:00Z")]
    [InlineData("*/15 9-10 * * 1-5", "UTC", "2026-03-06T10:31:00Z", "2026-03-06T10:45:00Z|2026-03-09T09:00:00Z")]
    [InlineData("0 0 * * 0", "UTC", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z")]
    [InlineData("0 0 * * 7", "UTC", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z")]
    [InlineData("0 0 * * sun,wed", "UTC", "2026-03-02T00:00:00Z", "2026-03-04T00:00:00Z|2026-03-08T00:00:00Z")]
    [InlineData("0 0 13 * 5", "UTC", "2026-03-01T00:00:00Z", "2026-03-06T00:00:00Z|2026-03-13T00:00:00Z|2026-03-20T00:00:00Z")]
    [InlineData("0 0 29 2 *", "UTC", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z")]
    public void Occurrences_follow_the_clocks_of_their_zone(string cron, string zone, string after, string expected)
    {
        var (schedule, _, problem) = CronSchedule.Parse(cron, zone, At(after));
        Assert.Null(problem);
        var at = At(after);
        foreach (var next in expected.Split('|')) Assert.Equal(next, Wire.Instant((at = schedule!.After(at)!.Value)).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
    }

    [Fact]
    public void The_hour_that_comes_twice_is_no_reason_to_run_within_a_minute()
    {
        var (schedule, _, _) = CronSchedule.Parse("*/30 * * * *", "Europe/Berlin", At("2026-10-24T22:00:00Z"));
        var at = At("2026-10-24T22:00:00Z");
        for (var i = 0; i < 12; i++)
        {
            var next = schedule!.After(at)!.Value;
            Assert.True(next - at >= 60_000_000, Wire.Iso(next));
            at = next;
        }
    }

    [Fact]
    public async Task A_schedule_fires_within_its_jitter_catches_up_once_and_records_what_it_missed()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync("/api/triggers/user/u/often", new { agent = "echo", promptTemplate = "at {{scheduledTime}}", activationMode = "scheduled", cronExpression = "*/5 * * * *" });
        var next = (await server.GetAsync("/api/triggers/user/u/often")).Json.GetProperty("data").GetProperty("nextRunAt").GetString()!;
        Assert.EndsWith(":00.000Z", next, StringComparison.Ordinal);
        server.Clock.Advance(DateTimeOffset.Parse(next, CultureInfo.InvariantCulture) - server.Clock.GetUtcNow() + TimeSpan.FromSeconds(31));
        var first = Assert.Single(await CapturesAsync(server, 1));
        Assert.Equal(("scheduled", next), (first.GetProperty("triggerSource").GetString(), first.GetProperty("scheduledTime").GetString()));
        await WaitFor.TrueAsync(async () => (await CapturesAsync(server, 1))[0].GetProperty("processStatus").GetString() == "success");

        // An hour away: eleven are recorded as missed, the newest is caught up.
        server.Clock.Advance(TimeSpan.FromMinutes(60));
        var all = await CapturesAsync(server, 13);
        Assert.Equal(11, all.Count(c => c.GetProperty("reason").GetString() == "skipped"));
        var times = all.Select(c => c.GetProperty("scheduledTime").GetString()!).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(13, times.Distinct().Count());
        Assert.Equal(times[^1], all.Last(c => c.GetProperty("reason").ValueKind == JsonValueKind.Null && c.GetProperty("scheduledTime").GetString() != next).GetProperty("scheduledTime").GetString());
    }

    [Fact]
    public async Task An_occurrence_without_a_free_place_is_recorded()
    {
        await using var server = await TestServer.StartAsync();
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        await server.PostAsync("/api/triggers/user/u/often", new { agent = "idle", promptTemplate = "x", activationMode = "scheduled", cronExpression = "*/5 * * * *", maxInFlight = 1 });
        await server.PostAsync("/api/triggers/user/u/often/invoke", null);
        // To the next occurrence and past the seconds that it may be late, and not to the one after it.
        server.Clock.Advance(TimeSpan.FromSeconds(331 - (server.Clock.GetUtcNow().ToUnixTimeSeconds() % 300)));
        var captures = await CapturesAsync(server, 2);
        Assert.Equal(["in_flight_limit"], captures.Where(c => c.GetProperty("triggerSource").GetString() == "scheduled").Select(c => c.GetProperty("reason").GetString()));
    }

    private static async Task<List<JsonElement>> CapturesAsync(TestServer server, int count)
    {
        List<JsonElement> captures = [];
        await WaitFor.TrueAsync(async () => (captures = [.. (await server.GetAsync("/api/triggers/user/u/often/requests?limit=200")).Json.GetProperty("data").GetProperty("requests").EnumerateArray()]).Count >= count);
        return captures;
    }
}
