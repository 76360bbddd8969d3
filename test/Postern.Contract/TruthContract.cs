using Postern.Support;

namespace Postern.Contract;

/// <summary>What is answered is what is there: repeats, pages and their tags, followers, on both databases.</summary>
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
            200, await SayAsync(Control("end", ("trigger-control", "turn-complete"), ("session-in-event-id", "9"))));
        Assert.Equal(409, await SayAsync(Control("end", ("trigger-control", "turn-complete"), ("z", "1"))));
        Assert.Equal(409, await SayAsync(Control("end", ("x", "1"))));
        var records = (await server.GetAsync(Out + "/records")).Json.GetProperty("records");
        Assert.Equal(2, records.GetArrayLength());
    }
}
