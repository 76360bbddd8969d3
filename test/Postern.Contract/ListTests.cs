using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Lists: callers' filters make no new statements, and every filter finds what it says, on both databases.
/// </summary>
public sealed class ListTests
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task However_many_values_a_filter_has_it_is_one_statement(Backend backend)
    {
        RecordingDatabase? recording = null;
        await using var server = await TestServer.StartAsync(backend, wrap: d => recording = new RecordingDatabase(d));
        await AskAsync(server, 1, 2, 3);
        var before = Lists();
        Assert.True(before.Count >= 5, "the lists were asked");
        var random = new Random(7);
        var asked = Enumerable
            .Range(0, 1_000)
            .Select(_ => (random.Next(1, 100), random.Next(1, 100), random.Next(1, 100)))
            .ToList();
        await Parallel.ForEachAsync(
            asked,
            async (counts, _) => await AskAsync(server, counts.Item1, counts.Item2, counts.Item3)
        );
        Assert.Empty(Lists().Except(before, StringComparer.Ordinal));

        // The server's own loops run meanwhile. Callers can filter a list, and a page of deliveries or events.
        List<string> Lists() =>
            [
                .. recording!.Statements.Keys.Where(sql =>
                    ListedBy.Any(by => sql.Contains(by, StringComparison.Ordinal))
                ),
            ];
    }

    private static readonly string[] ListedBy =
    [
        "json_each(",
        "json_array_elements_text(",
        "FROM delivery WHERE project = $1 AND",
        "SELECT id, type, subject, body, position, more FROM event",
    ];

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Filters_find_what_they_say(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        string[] tags = ["a", "b", "\"quoted\"", "a,b", "%", "_", "ü\ud83d\ude00", "[", "back\\slash"];
        foreach (var (tag, i) in tags.Select((t, i) => (t, i)))
        {
            Assert.Equal(
                202,
                (
                    await server.PostAsync(
                        "/api/v1/runs",
                        new
                        {
                            agent = "echo",
                            start = false,
                            tags = new[] { tag, "all" },
                        }
                    )
                ).Status
            );
            Assert.Equal(
                201,
                (
                    await server.StartSessionAsync(
                        "s" + i,
                        more: new
                        {
                            type = "chat",
                            externalId = "s" + i,
                            taskIdentifier = "echo",
                            tags = new[] { tag, "all" },
                            triggerConfig = new { basePayload = new { } },
                        }
                    )
                ).Status
            );
        }
        foreach (var tag in tags.Where(t => !t.Contains(',', StringComparison.Ordinal)))
        {
            Assert.Equal(
                1,
                (await server.GetAsync("/api/v1/runs?tag=" + Uri.EscapeDataString(tag)))
                    .Json.GetProperty("data")
                    .GetArrayLength()
            );
            Assert.Equal(
                1,
                (await server.GetAsync("/api/v1/sessions?filter[tags]=" + Uri.EscapeDataString(tag)))
                    .Json.GetProperty("data")
                    .GetArrayLength()
            );
        }
        Assert.Equal(
            2,
            (await server.GetAsync("/api/v1/sessions?filter[tags]=a,b,none")).Json.GetProperty("data").GetArrayLength()
        );
        Assert.Equal(
            tags.Length,
            (
                await server.GetAsync(
                    "/api/v1/sessions?filter[tags]=all&filter[externalId]="
                        + string.Join(',', tags.Select((_, i) => "s" + i))
                )
            )
                .Json.GetProperty("data")
                .GetArrayLength()
        );
        // Page by page, all of them once.
        var seen = new List<string>();
        for (var path = "/api/v1/runs?tag=all&limit=2"; ; )
        {
            var page = (await server.GetAsync(path)).Json;
            seen.AddRange(page.GetProperty("data").EnumerateArray().Select(r => r.GetProperty("id").GetString()!));
            if (!page.TryGetProperty("nextCursor", out var next))
                break;
            path = "/api/v1/runs?tag=all&limit=2&cursor=" + Uri.EscapeDataString(next.GetString()!);
        }
        Assert.Equal((tags.Length, tags.Length), (seen.Count, seen.Distinct(StringComparer.Ordinal).Count()));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_list_that_finds_little_goes_through_many_rows_in_bounded_reads(Backend backend)
    {
        const int Rows = 3 * ListSearch.Stretch;
        RecordingDatabase? recording = null;
        await using var server = await TestServer.StartAsync(backend, wrap: d => recording = new RecordingDatabase(d));
        await server.StartSessionAsync("template");
        await server.PostAsync("/api/v1/runs", new { agent = "echo", start = false });
        await Crowd.CopyAsync(
            server.Database,
            "session",
            "external_id = 'template'",
            Rows,
            ("id", "'session_crowd' || n"),
            ("external_id", "NULL"),
            ("session_key", "'crowd' || n"),
            ("created_at", "template.created_at - n"),
            ("type", "CASE WHEN n % 25000 = 0 THEN 'rare' ELSE 'chat' END")
        );
        await Crowd.CopyAsync(
            server.Database,
            "run",
            "session IS NULL",
            Rows,
            ("id", "'run_crowd' || n"),
            ("created_at", "template.created_at - n"),
            ("due_at", "NULL"),
            ("trigger_key", "NULL"),
            ("tags", "CASE WHEN n % 25000 = 0 THEN '[\"rare\"]' ELSE '[]' END")
        );
        var reads = 0;
        recording!.Seen = sql => reads += sql.Contains("OFFSET", StringComparison.Ordinal) ? 1 : 0;

        foreach (var path in (string[])["/api/v1/sessions?filter[type]=none", "/api/v1/runs?tag=none"])
        {
            reads = 0;
            var none = await server.GetAsync(path);
            Assert.Equal((200, 0), (none.Status, none.Json.GetProperty("data").GetArrayLength()));
            Assert.DoesNotContain("\"next", none.Text, StringComparison.Ordinal);
            Assert.Equal(1 + Rows / ListSearch.Stretch, reads);
        }
        // What is asked for without a filter is found in the first of them.
        reads = 0;
        Assert.Equal(20, (await server.GetAsync("/api/v1/sessions")).Json.GetProperty("data").GetArrayLength());
        Assert.Equal(1, reads);

        Assert.Equal(
            ["session_crowd25000", "session_crowd50000"],
            await ReadThroughAsync("/api/v1/sessions?filter[type]=rare&page[size]=1", "page[after]")
        );
        Assert.Equal(
            ["run_crowd25000", "run_crowd50000"],
            await ReadThroughAsync("/api/v1/runs?tag=rare&limit=1", "cursor")
        );
        // Backwards from the end, the nearest first.
        var last = (await server.GetAsync("/api/v1/sessions?filter[type]=rare")).Json.GetProperty("data")[1];
        var cursor = new Postern.Http.Cursor(
            server.Database.Now - 10_000_000_000,
            last.GetProperty("id").GetString()!
        ).ToString();
        var back = (
            await server.GetAsync($"/api/v1/sessions?filter[type]=rare&page[size]=1&page[before]={cursor}")
        ).Json;
        Assert.Equal("session_crowd50000", back.GetProperty("data")[0].GetProperty("id").GetString());
        Assert.True(back.GetProperty("pagination").TryGetProperty("previous", out _));

        async Task<List<string>> ReadThroughAsync(string path, string parameter)
        {
            var ids = new List<string>();
            for (string? next = ""; next is not null; )
            {
                var page = (await server.GetAsync(path + (next.Length == 0 ? "" : $"&{parameter}={next}"))).Json;
                ids.AddRange(page.GetProperty("data").EnumerateArray().Select(r => r.GetProperty("id").GetString()!));
                var links = page.TryGetProperty("pagination", out var pagination) ? pagination : page;
                next =
                    links.TryGetProperty("next", out var text) || links.TryGetProperty("nextCursor", out text)
                        ? text.GetString()
                        : null;
            }
            return ids;
        }
    }

    [Fact]
    public void No_more_statements_are_kept_than_their_bound()
    {
        using var connection = new SqliteConnectionCache("Data Source=:memory:");
        connection.Execute("CREATE TABLE t (a text)", []);
        for (var i = 0; i < 3 * SqliteConnectionCache.Kept; i++)
            Assert.Equal(i, connection.First($"SELECT {i} + $1", r => r.GetInt64(0), [0L]));
        Assert.InRange(connection.Count, 1, SqliteConnectionCache.Kept);
        // A statement that was removed from the cache is prepared again.
        Assert.Equal(0, connection.First("SELECT 0 + $1", r => r.GetInt64(0), [0L]));
        // The last arguments of a statement are not kept with it.
        connection.Execute("INSERT INTO t VALUES ($1)", [new string('x', 100_000)]);
        Assert.Equal(100_000, connection.First("SELECT length(a) FROM t", r => r.GetInt64(0), []));
    }

    private static async Task AskAsync(TestServer server, int a, int b, int c)
    {
        string Names(string prefix, int count) => string.Join(',', Enumerable.Range(0, count).Select(i => prefix + i));
        foreach (
            var path in (string[])
                [
                    $"/api/v1/runs?agent={Names("a", a)}&session={Names("s", b)}&trigger={Names("t", c)}"
                        + $"&tag={Names("g", a)}&status={Names("x", b)}",
                    $"/api/v1/sessions?filter[type]={Names("a", a)}&filter[tags]={Names("g", b)}"
                        + $"&filter[externalId]={Names("e", c)}&filter[taskIdentifier]={Names("t", a)}",
                    $"/api/v1/deliveries?endpoint=agent:{a}&subject=s{b}&purpose=event&status=dead",
                    $"/api/v1/events?type=run.{a}&subject=s{b}",
                    $"/api/v1/approvals?agent={Names("a", a)}&run={Names("r", b)}&session={Names("s", c)}"
                        + $"&service={Names("v", a)}",
                ]
        )
            Assert.Equal(200, (await server.GetAsync(path)).Status);
    }
}
