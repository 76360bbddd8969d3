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

    /// <summary>In spring one hour is missing (its schedules run after it). In autumn one hour comes twice.</summary>
    [Theory]
    [InlineData(
        "30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T00:00:00Z",
        "2026-03-28T01:30:00Z|2026-03-29T01:00:00Z|2026-03-30T00:30:00Z"
    )]
    [InlineData("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z|2026-03-30T01:00:00Z")]
    [InlineData(
        "0 * * * *",
        "Europe/Berlin",
        "2026-03-28T23:30:00Z",
        "2026-03-29T00:00:00Z|2026-03-29T01:00:00Z|2026-03-29T02:00:00Z"
    )]
    [InlineData("0 4 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T03:00:00Z|2026-10-26T03:00:00Z")]
    [InlineData("0 9 * * *", "America/New_York", "2026-03-07T00:00:00Z", "2026-03-07T14:00:00Z|2026-03-08T13:00:00Z")]
    [InlineData("0 9 * * *", "America/New_York", "2026-10-31T00:00:00Z", "2026-10-31T13:00:00Z|2026-11-01T14:00:00Z")]
    [InlineData(
        "0 9 * * *",
        "Australia/Lord_Howe",
        "2026-04-03T12:00:00Z",
        "2026-04-03T22:00:00Z|2026-04-04T22:30:00Z"
    )]
    [InlineData(
        "0 9 * * *",
        "Australia/Lord_Howe",
        "2026-10-02T12:00:00Z",
        "2026-10-02T22:30:00Z|2026-10-03T22:00:00Z"
    )]
    [InlineData("0 9 * * *", "Asia/Tokyo", "2026-03-28T01:00:00Z", "2026-03-29T00:00:00Z|2026-03-30T00:00:00Z")]
    [InlineData("*/15 9-10 * * 1-5", "UTC", "2026-03-06T10:31:00Z", "2026-03-06T10:45:00Z|2026-03-09T09:00:00Z")]
    [InlineData("0 0 * * 0", "UTC", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z")]
    [InlineData("0 0 * * 7", "UTC", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z")]
    [InlineData("0 0 * * sun,wed", "UTC", "2026-03-02T00:00:00Z", "2026-03-04T00:00:00Z|2026-03-08T00:00:00Z")]
    [InlineData(
        "0 0 13 * 5",
        "UTC",
        "2026-03-01T00:00:00Z",
        "2026-03-06T00:00:00Z|2026-03-13T00:00:00Z|2026-03-20T00:00:00Z"
    )]
    [InlineData("0 0 * * 1#1", "UTC", "2026-03-02T00:00:00Z", "2026-04-06T00:00:00Z")]
    [InlineData("0 0 * * 7#1", "UTC", "2026-03-02T00:00:00Z", "2026-04-05T00:00:00Z")]
    [InlineData(
        "0 0 * * 6-7",
        "UTC",
        "2026-03-02T00:00:00Z",
        "2026-03-07T00:00:00Z|2026-03-08T00:00:00Z|2026-03-14T00:00:00Z"
    )]
    [InlineData(
        "0 0 * * fri-mon",
        "UTC",
        "2026-03-03T00:00:00Z",
        "2026-03-06T00:00:00Z|2026-03-07T00:00:00Z|2026-03-08T00:00:00Z|2026-03-09T00:00:00Z|2026-03-13T00:00:00Z"
    )]
    [InlineData("0 0 L * *", "UTC", "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z|2026-03-31T00:00:00Z")]
    [InlineData("30 1 * * *", "Europe/Dublin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z|2026-03-30T00:30:00Z")]
    [InlineData(
        "*/30 * * * *",
        "Europe/Dublin",
        "2026-03-29T00:10:00Z",
        "2026-03-29T00:30:00Z|2026-03-29T01:00:00Z|2026-03-29T01:30:00Z"
    )]
    [InlineData("30 2 * * *", "Africa/Casablanca", "2026-02-14T12:00:00Z", "2026-02-15T01:30:00Z|2026-02-16T02:30:00Z")]
    [InlineData("30 2 * * *", "Africa/Casablanca", "2026-03-21T12:00:00Z", "2026-03-22T02:00:00Z|2026-03-23T01:30:00Z")]
    [InlineData("30 1 * * *", "Europe/Dublin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z|2026-10-26T01:30:00Z")]
    [InlineData(
        "*/30 * * * *",
        "Europe/Dublin",
        "2026-10-25T00:10:00Z",
        "2026-10-25T00:30:00Z|2026-10-25T01:00:00Z|2026-10-25T01:30:00Z"
    )]
    [InlineData(
        "0,30 1 * * *",
        "Europe/Dublin",
        "2026-10-24T12:00:00Z",
        "2026-10-25T00:00:00Z|2026-10-25T00:30:00Z|2026-10-26T01:00:00Z"
    )]
    [InlineData("0 0 29 2 *", "UTC", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z")]
    public void Occurrences_follow_the_clocks_of_their_zone(string cron, string zone, string after, string expected)
    {
        var (schedule, _, problem) = CronSchedule.Parse(cron, zone, At(after));
        Assert.Null(problem);
        var at = At(after);
        foreach (var next in expected.Split('|'))
            Assert.Equal(
                next,
                Wire.Instant((at = schedule!.After(at)!.Value))
                    .ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)
            );
    }

    /// <summary>Daily and weekly schedules over ten years, and hourly ones around each change of the clock.</summary>
    [Fact]
    public void In_every_zone_there_is_always_a_next_run_that_is_later()
    {
        var (from, until) = (At("2026-01-01T00:00:00Z"), At("2036-01-01T00:00:00Z"));
        const long hour = 3_600_000_000L;
        var zones = TimeZoneInfo.GetSystemTimeZones().Where(z => z.HasIanaId).ToList();
        Assert.True(zones.Count > 300, "the zones of this machine");
        Parallel.ForEach(
            zones,
            zone =>
            {
                Walk("30 1 * * *", from, until, 22 * hour, 26 * hour);
                Walk("30 2 * * 0", from, until, (7 * 24 - 2) * hour, (7 * 24 + 2) * hour);
                var offset = zone.GetUtcOffset(Wire.Instant(from));
                for (var day = from; day < until; day += 24 * hour)
                {
                    var now = zone.GetUtcOffset(Wire.Instant(day + 24 * hour));
                    if (now != offset)
                        Walk("0 * * * *", day - 24 * hour, day + 48 * hour, hour / 4, 2 * hour);
                    offset = now;
                }

                void Walk(string cron, long start, long end, long least, long most)
                {
                    var (schedule, _, problem) = CronSchedule.Parse(cron, zone.Id, start);
                    Assert.True(problem is null, $"{cron} in {zone.Id}: {problem}");
                    var at = schedule!.After(start)!.Value;
                    while (at < end)
                    {
                        var next = schedule.After(at);
                        Assert.True(
                            next - at >= least && next - at <= most,
                            $"{cron} in {zone.Id}: after {Wire.Iso(at)} comes {Wire.Iso(next)}"
                        );
                        at = next!.Value;
                    }
                }
            }
        );
    }

    /// <summary>Two names of one zone.</summary>
    [Theory]
    [InlineData("30 1 * * *")]
    [InlineData("*/20 * * * *")]
    [InlineData("15 0-3 * * 0")]
    public void Ireland_is_as_Britain(string cron)
    {
        var dublin = CronSchedule.Read(cron, "Europe/Dublin").Schedule!;
        var london = CronSchedule.Read(cron, "Europe/London").Schedule!;
        foreach (var change in (string[])["2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2030-03-30T00:00:00Z"])
        {
            var at = At(change);
            for (var i = 0; i < 200; i++)
            {
                var next = london.After(at);
                Assert.Equal(next, dublin.After(at));
                at = next!.Value;
            }
        }
    }

    [Fact]
    public void However_long_a_server_was_away_the_newest_that_passed_are_found_and_no_more()
    {
        var (minutely, _, _) = CronSchedule.Parse("* * * * *", "UTC", 0);
        var newest = minutely!.Newest(At("2016-01-01T00:00:00Z"), At("2026-01-01T00:00:30Z"), 21);
        Assert.Equal(
            (21, At("2026-01-01T00:00:00Z"), At("2025-12-31T23:40:00Z")),
            (newest.Count, newest[^1], newest[0])
        );
        var (yearly, _, _) = CronSchedule.Parse("0 0 1 1 *", "UTC", 0);
        Assert.Equal(
            [At("2024-01-01T00:00:00Z"), At("2025-01-01T00:00:00Z"), At("2026-01-01T00:00:00Z")],
            yearly!.Newest(At("2024-01-01T00:00:00Z"), At("2026-06-01T00:00:00Z"), 21)
        );
        Assert.Equal(
            [At("2024-01-01T00:00:00Z")],
            yearly.Newest(At("2024-01-01T00:00:00Z"), At("2024-01-01T00:00:00Z"), 21)
        );
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_schedule_that_cannot_be_reckoned_says_so_holds_up_no_other_and_goes_on_when_it_can(
        Backend backend
    )
    {
        await using var server = await TestServer.StartAsync(backend);
        foreach (var id in (string[])["broken", "good"])
            Assert.Equal(201, (await PutAsync(server, id)).Status);
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/all",
            server.RootKey,
            new { url = "http://127.0.0.1:9/", events = new[] { "*" } }
        );
        // Like a zone that this machine no longer knows. Both are due.
        await ExecuteAsync(
            server,
            "UPDATE agent_trigger SET zone = 'Nowhere/Atlantis', next_at = 1, due_at = 1 WHERE id = 'broken'"
        );
        await ExecuteAsync(server, "UPDATE agent_trigger SET next_at = 60000000, due_at = 2 WHERE id = 'good'");
        await WaitFor.TrueAsync(async () => await ProblemAsync(server) is not null);
        Assert.Equal("cronTimezone must be an IANA time zone, such as Europe/Berlin", await ProblemAsync(server));
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/triggers/user/u/good/requests")).Text.Contains(
                "\"scheduled\"",
                StringComparison.Ordinal
            )
        );
        var events = await server.GetAsync("/api/v1/events?limit=100");
        Assert.Contains("trigger.schedule_failed", events.Text, StringComparison.Ordinal);

        await ExecuteAsync(server, "UPDATE agent_trigger SET zone = 'UTC', due_at = 3 WHERE id = 'broken'");
        await WaitFor.TrueAsync(async () => await ProblemAsync(server) is null);
        Assert.Contains(
            "\"scheduled\"",
            (await server.GetAsync("/api/triggers/user/u/broken/requests")).Text,
            StringComparison.Ordinal
        );

        static async Task<string?> ProblemAsync(TestServer server) =>
            (await server.GetAsync("/api/triggers/user/u/broken"))
                .Json.GetProperty("data")
                .GetProperty("scheduleProblem")
                .GetString();
    }

    /// <summary>
    /// Rows written under a clock that was ahead, and schedules that an earlier version has given up.
    /// </summary>
    [Theory]
    [InlineData(Backend.Sqlite, "next_at = next_at + 2592000000000, due_at = due_at + 2592000000000")]
    [InlineData(Backend.Postgres, "next_at = next_at + 2592000000000, due_at = due_at + 2592000000000")]
    [InlineData(Backend.Sqlite, "next_at = NULL, due_at = NULL")]
    [InlineData(Backend.Postgres, "next_at = NULL, due_at = NULL")]
    public async Task A_run_that_is_too_far_away_is_reckoned_again(Backend backend, string wrong)
    {
        await using var server = await TestServer.StartAsync(backend);
        Assert.Equal(201, (await PutAsync(server, "often")).Status);
        await ExecuteAsync(server, $"UPDATE agent_trigger SET {wrong}");
        // The next sweep. On PostgreSQL the database's clock decides what is due, so this changes nothing there.
        server.Clock.Advance(TimeSpan.FromSeconds(61));
        await WaitFor.TrueAsync(
            async () =>
                (await server.GetAsync("/api/triggers/user/u/often"))
                    .Json.GetProperty("data")
                    .GetProperty("nextRunAt")
                    .GetString()
                    is { } next
                && DateTimeOffset.Parse(next, CultureInfo.InvariantCulture) - server.Clock.GetUtcNow()
                    < TimeSpan.FromMinutes(6),
            TimeSpan.FromSeconds(70)
        );
    }

    private static Task<Answer> PutAsync(TestServer server, string id) =>
        server.PostAsync(
            "/api/triggers/user/u/" + id,
            new
            {
                agent = "echo",
                promptTemplate = "x",
                activationMode = "scheduled",
                cronExpression = "*/5 * * * *",
            }
        );

    private static Task<int> ExecuteAsync(TestServer server, string sql) =>
        server.Database.WriteAsync(tx => tx.ExecuteAsync(sql));

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
        await server.PostAsync(
            "/api/triggers/user/u/often",
            new
            {
                agent = "echo",
                promptTemplate = "at {{scheduledTime}}",
                activationMode = "scheduled",
                cronExpression = "*/5 * * * *",
            }
        );
        var next = (await server.GetAsync("/api/triggers/user/u/often"))
            .Json.GetProperty("data")
            .GetProperty("nextRunAt")
            .GetString()!;
        Assert.EndsWith(":00.000Z", next, StringComparison.Ordinal);
        server.Clock.Advance(
            DateTimeOffset.Parse(next, CultureInfo.InvariantCulture)
                - server.Clock.GetUtcNow()
                + TimeSpan.FromSeconds(31)
        );
        var first = Assert.Single(await CapturesAsync(server, 1));
        Assert.Equal(
            ("scheduled", next),
            (first.GetProperty("triggerSource").GetString(), first.GetProperty("scheduledTime").GetString())
        );
        await WaitFor.TrueAsync(async () =>
            (await CapturesAsync(server, 1))[0].GetProperty("processStatus").GetString() == "success"
        );

        // After an hour's outage eleven are recorded as missed, and the newest is run late.
        server.Clock.Advance(TimeSpan.FromMinutes(60));
        var all = await CapturesAsync(server, 13);
        Assert.Equal(11, all.Count(c => c.GetProperty("reason").GetString() == "skipped"));
        var times = all.Select(c => c.GetProperty("scheduledTime").GetString()!).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(13, times.Distinct().Count());
        Assert.Equal(
            times[^1],
            all.Last(c =>
                    c.GetProperty("reason").ValueKind == JsonValueKind.Null
                    && c.GetProperty("scheduledTime").GetString() != next
                )
                .GetProperty("scheduledTime")
                .GetString()
        );
    }

    [Fact]
    public async Task An_occurrence_without_a_free_place_is_recorded()
    {
        await using var server = await TestServer.StartAsync();
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        await server.PostAsync(
            "/api/triggers/user/u/often",
            new
            {
                agent = "idle",
                promptTemplate = "x",
                activationMode = "scheduled",
                cronExpression = "*/5 * * * *",
                maxInFlight = 1,
            }
        );
        await server.PostAsync("/api/triggers/user/u/often/invoke", null);
        // Up to the next occurrence plus the seconds that it may be late, but not to the one after it.
        server.Clock.Advance(TimeSpan.FromSeconds(331 - (server.Clock.GetUtcNow().ToUnixTimeSeconds() % 300)));
        var captures = await CapturesAsync(server, 2);
        Assert.Equal(
            ["in_flight_limit"],
            captures
                .Where(c => c.GetProperty("triggerSource").GetString() == "scheduled")
                .Select(c => c.GetProperty("reason").GetString())
        );
    }

    private static async Task<List<JsonElement>> CapturesAsync(TestServer server, int count)
    {
        List<JsonElement> captures = [];
        await WaitFor.TrueAsync(async () =>
            (
                captures = [
                    .. (await server.GetAsync("/api/triggers/user/u/often/requests?limit=200"))
                        .Json.GetProperty("data")
                        .GetProperty("requests")
                        .EnumerateArray(),
                ]
            ).Count >= count
        );
        return captures;
    }
}
