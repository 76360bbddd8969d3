using Microsoft.Extensions.DependencyInjection;
using Postern.History;
using Postern.Support;

namespace Postern.Contract;

/// <summary>Answers agree with the stored data: repeats, pages and their tags, followers, on both databases.</summary>
public sealed class TruthContract
{
    private const string Out = "/realtime/v1/sessions/s/out";

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_part_that_says_something_else_is_a_conflict_and_no_repeat(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.PostAsync("/sessions/s/messages", new { role = "user", content = "m" });
        async Task<int> SayAsync(object record) =>
            (await server.PostAsync(Out + "/records", new { records = new[] { record } })).Status;
        static object Control(string part, params (string, string)[] headers) =>
            new { partId = part, headers = headers.ToDictionary(h => h.Item1, h => h.Item2) };

        Assert.Equal(200, await SayAsync(Control("p", ("x", "1"), ("y", "2"))));
        Assert.Equal(200, await SayAsync(Control("p", ("y", "2"), ("x", "1"))));
        Assert.Equal(409, await SayAsync(Control("p", ("x", "1"))));
        Assert.Equal(409, await SayAsync(Control("p", ("x", "1"), ("y", "3"))));
        Assert.Equal(409, await SayAsync(Control("p", ("trigger-control", "turn-complete"))));
        Assert.Equal(409, await SayAsync(new { partId = "p", data = "text" }));

        Assert.Equal(200, await SayAsync(Control("end", ("trigger-control", "turn-complete"))));
        Assert.Equal(200, await SayAsync(Control("end", ("trigger-control", "turn-complete"))));
        Assert.Equal(
            200,
            await SayAsync(Control("end", ("trigger-control", "turn-complete"), ("session-in-event-id", "9")))
        );
        Assert.Equal(409, await SayAsync(Control("end", ("trigger-control", "turn-complete"), ("z", "1"))));
        Assert.Equal(409, await SayAsync(Control("end", ("x", "1"))));
        var records = (await server.GetAsync(Out + "/records")).Json.GetProperty("records");
        Assert.Equal(2, records.GetArrayLength());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Pages_of_history_are_kept_within_their_bytes_gzipped_copies_counted(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var text = new string('x', 7000);
        for (var i = 0; i < 100; i++)
            await server.PostAsync("/sessions/s/messages", new { role = "user", content = text });
        var reader = server.App.Services.GetRequiredService<HistoryReader>();
        var before = reader.Kept;
        await server.GetAsync("/sessions/s/history?limit=1");
        var one = reader.Kept;
        await server.GetAsync("/sessions/s/history?limit=1", null, ("Accept-Encoding", "gzip"));
        var zipped = reader.Kept;
        await server.GetAsync("/sessions/s/history?limit=1", null, ("Accept-Encoding", "gzip"));
        Assert.Equal(before.Pages + 1, one.Pages);
        // The body, and what is kept beside it.
        Assert.InRange(one.Bytes - before.Bytes, 14_000 + 1024, 20_000);
        Assert.True(zipped.Bytes > one.Bytes, "the gzipped copy counts");
        Assert.Equal(zipped, reader.Kept);

        var most = 0L;
        for (var limit = 50; limit <= 150; limit++)
        {
            await server.GetAsync($"/sessions/s/history?limit={limit}");
            most = Math.Max(most, reader.Kept.Bytes);
        }
        Assert.InRange(most, HistoryReader.KeptBytes / 2, HistoryReader.KeptBytes);
        Assert.InRange(reader.Kept.Pages, 0, 100);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task After_a_restore_pages_and_tags_are_of_what_is_there_and_a_follower_is_told(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        Task SayAsync(string text) => server.PostAsync("/sessions/s/messages", new { role = "user", content = text });
        for (var i = 1; i <= 5; i++)
            await SayAsync("m" + i);
        var five = (await server.GetAsync("/sessions/s/history")).Header("ETag")!;
        for (var i = 6; i <= 9; i++)
            await SayAsync("m" + i);
        var nine = (await server.GetAsync("/sessions/s/history")).Header("ETag")!;

        // The rows of a backup that was made at five, put back under a node that runs.
        await server.Database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync("DELETE FROM message WHERE seq > $1", 5L);
            return await tx.ExecuteAsync("UPDATE session SET message_next = $1", 6L);
        });
        var again = await server.GetAsync("/sessions/s/history", null, ("If-None-Match", five));
        Assert.Equal(304, again.Status);
        await using (var follower = await server.StreamAsync("/sessions/s/history", null, ("Last-Event-ID", "9")))
        {
            var first = await follower.NextAsync();
            Assert.Equal(("history", "5"), (first!.Name, first.Id));
            await SayAsync("n6");
            var next = await follower.NextAsync();
            Assert.Equal(("message", "6"), (next!.Name, next.Id));
            Assert.Contains("n6", next.Data, StringComparison.Ordinal);
        }
        for (var i = 7; i <= 9; i++)
            await SayAsync("n" + i);
        var other = await server.GetAsync("/sessions/s/history", null, ("If-None-Match", nine));
        Assert.Equal(200, other.Status);
        Assert.Contains("\"n9\"", other.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("\"m9\"", other.Text, StringComparison.Ordinal);
    }
}
