using Postern.Http;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Every accepted value can be read on every route that shows it, as deep as JSON may be, in any envelope.
/// </summary>
public sealed class StoredDepthTests
{
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task The_deepest_body_that_is_taken_can_be_read_everywhere(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await using var receiver = await Receiver.StartAsync();
        var asking = await Asking.PrepareAsync(server);
        await server.StartSessionAsync("s");
        var taken = 0;
        for (var depth = Wire.MaxDepth - 6; depth <= Wire.MaxDepth; depth++)
        {
            var deep = Deep(depth);
            // Longer than the part that is shown without full=1.
            var chunk =
                $"{{\"type\":\"tool-input-available\",\"toolCallId\":\"c{depth}\",\"toolName\":\"t\","
                + $"\"input\":{deep}}}";
            taken += await TakesAsync("/realtime/v1/sessions/s/out/append", chunk);
            taken += await TakesAsync(
                "/api/v1/runs",
                $"{{\"agent\":\"echo\",\"input\":{deep},\"metadata\":{{\"a\":{Deep(depth - 1, 100)}}},"
                    + $"\"callback\":{{\"url\":\"{receiver.Url}\"}}}}"
            );
            taken += await TakesAsync(
                "/sessions/s/messages",
                $"{{\"role\":\"user\",\"content\":[{{\"type\":\"data-x\",\"data\":{deep}}}]}}"
            );
            var (run, token, _) = await asking.WaitingAsync(new { title = "q", expires_in_hours = 1 });
            Assert.NotNull(token);
            taken += await TakesAsync($"/api/v1/runs/{run}/status", $"{{\"status\":\"running\",\"output\":{deep}}}");
        }
        Assert.True(taken > 12, $"{taken} of the bodies were taken");
        await server.SendAsync(
            HttpMethod.Post,
            "/realtime/v1/sessions/s/out/append",
            server.RootKey,
            "",
            ("x-trigger-control", "turn-complete")
        );

        string[] reads =
        [
            "/sessions/s/history",
            "/sessions/s/history?full=1",
            "/api/v1/sessions/s/transcript",
            "/realtime/v1/sessions/s/out/records",
            "/api/v1/sessions/s",
            "/api/v1/runs",
            "/api/v1/approvals",
            "/api/v1/deliveries",
            "/api/v1/events",
            "/api/v1/sessions",
        ];
        foreach (var path in reads)
            Assert.Equal((path, 200), (path, (await server.GetAsync(path)).Status));
        foreach (var run in (await server.GetAsync("/api/v1/runs?limit=50")).Json.GetProperty("data").EnumerateArray())
        {
            var path = "/api/v1/runs/" + run.GetProperty("id").GetString();
            Assert.Equal((path, 200), (path, (await server.GetAsync(path)).Status));
            Assert.Equal((path, 200), (path, (await server.GetAsync(path + "/events")).Status));
        }

        async Task<int> TakesAsync(string path, string body)
        {
            var answer = await server.SendAsync(HttpMethod.Post, path, server.RootKey, body);
            Assert.True(answer.Status < 500, $"{path}: {answer.Status} {answer.Text}");
            return answer.Status < 300 ? 1 : 0;
        }
    }

    /// <summary>A text in so many lists; longer than a page shows of it.</summary>
    private static string Deep(int depth, int length = 9_000) =>
        new string('[', depth) + "\"" + new string('x', length) + "\"" + new string(']', depth);
}
