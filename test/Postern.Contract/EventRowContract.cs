using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Events that happened together are one row, and are listed as if each had its own; on both databases.
/// </summary>
public sealed class EventRowContract
{
    private static readonly string[] OfOne =
    [
        "session.created",
        "message.committed",
        "run.created",
        "trigger.captured",
    ];

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Events_of_one_row_are_listed_one_by_one(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await CaptureAsync(server, 3);
        var all = await ListAsync(server, "", 200);
        string[] expected = [.. Enumerable.Repeat(OfOne, 3).SelectMany(types => types)];
        // Newest first; what was there before the captures stands behind them.
        Assert.Equal(expected.Reverse(), all.Take(12).Select(e => e.Type));
        Assert.Equal(all.Count, all.Select(e => e.Id).Distinct(StringComparer.Ordinal).Count());
        // However small the pages are, also where one ends inside a row.
        foreach (var limit in (int[])[1, 2, 3, 5])
            Assert.Equal(all, await ListAsync(server, "", limit));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Events_of_one_row_are_found_by_type_and_subject(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await CaptureAsync(server, 3);
        var all = await ListAsync(server, "", 200);
        foreach (var type in OfOne)
        foreach (var limit in (int[])[1, 2, 50])
            Assert.Equal(all.Where(e => e.Type == type), await ListAsync(server, "&type=" + type, limit));

        var runs = (await server.GetAsync("/api/v1/runs")).Json.GetProperty("data").EnumerateArray().ToList();
        foreach (var run in runs)
        {
            var (id, session) = (run.GetProperty("id").GetString()!, run.GetProperty("sessionId").GetString()!);
            Assert.Equal(["run.created"], (await ListAsync(server, "&subject=" + id, 1)).Select(e => e.Type));
            Assert.Equal(
                ["message.committed", "session.created"],
                (await ListAsync(server, "&subject=" + session, 1)).Select(e => e.Type)
            );
            Assert.Equal(
                ["message.committed"],
                (await ListAsync(server, $"&type=message.committed&subject={session}", 2)).Select(e => e.Type)
            );
            // Each is there, not in one event.
            Assert.Empty(await ListAsync(server, $"&type=trigger.captured&subject={session}", 2));
        }
        // Characters with a meaning in patterns or in JSON are ordinary letters here.
        foreach (var odd in (string[])["%", "run_created", "run.created\",\"subject\":\"", "!%", "RUN.CREATED", "\\"])
        {
            Assert.Empty(await ListAsync(server, "&type=" + Uri.EscapeDataString(odd), 2));
            Assert.Empty(await ListAsync(server, "&subject=" + Uri.EscapeDataString(odd), 2));
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_64_captures_at_once_each_has_its_events_in_order(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await CaptureAsync(server, 64);
        var all = await ListAsync(server, "", 50);
        Assert.Equal(256, all.Count(e => OfOne.Contains(e.Type)));
        var four = all.Where(e => OfOne.Contains(e.Type)).Reverse().Chunk(4).ToList();
        Assert.All(four, one => Assert.Equal(OfOne, one.Select(e => e.Type)));
    }

    private static async Task CaptureAsync(TestServer server, int times)
    {
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        await server.PostAsync(
            "/api/triggers/user/u/t",
            new
            {
                agent = "idle",
                promptTemplate = "{{body}}",
                maxInFlight = 100,
            }
        );
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, times)
                .Select(i =>
                    server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, "{}", ("X-GitHub-Delivery", "d" + i))
                )
        );
        Assert.All(answers, a => Assert.Equal(200, a.Status));
    }

    private static async Task<List<(string Id, string Type)>> ListAsync(TestServer server, string filter, int limit)
    {
        var found = new List<(string, string)>();
        string? cursor = null;
        do
        {
            var from = cursor is null ? "" : "&cursor=" + cursor;
            var answer = await server.GetAsync($"/api/v1/events?limit={limit}{filter}{from}");
            Assert.True(answer.Status == 200, answer.Text);
            found.AddRange(
                answer
                    .Json.GetProperty("data")
                    .EnumerateArray()
                    .Select(e => (e.GetProperty("id").GetString()!, e.GetProperty("type").GetString()!))
            );
            cursor = answer.Json.TryGetProperty("nextCursor", out var next) ? next.GetString() : null;
        } while (cursor is not null);
        return found;
    }
}
