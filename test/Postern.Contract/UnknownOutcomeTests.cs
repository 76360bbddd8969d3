using Npgsql;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// A connection that is lost after a commit: the answer does not say that nothing was written. Only a request that is
/// stored once however often it comes is to be repeated.
/// </summary>
public sealed class UnknownOutcomeTests
{
    [Theory]
    [InlineData("/api/v1/runs", "COMMIT\0", null)]
    [InlineData("/api/v1/runs", "COMMIT\0", "Idempotency-Key")]
    [InlineData("/realtime/v1/sessions/s/out/append", "UPDATE session", "X-Part-Id")]
    [InlineData("/realtime/v1/sessions/s/out/append", "UPDATE session", null)]
    public async Task A_commit_whose_answer_is_lost_is_said_to_be_unknown(string path, string marker, string? id)
    {
        var connection = new NpgsqlConnectionStringBuilder(PostgresServer.NewDatabase());
        using var cutter = new CommitCutter(connection.Port);
        connection.Port = cutter.Port;
        await using var server = await TestServer.StartAsync(Backend.Postgres, postgres: connection.ToString());
        await server.StartSessionAsync("s");
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        await server.SettledAsync();
        object body = path.EndsWith("runs", StringComparison.Ordinal)
            ? new { agent = "p", metadata = new { word = "written" } }
            : "written";
        (string, string)[] headers = id is null ? [] : [(id, "one")];

        cutter.CutBehind(marker, after: marker == "COMMIT\0" ? "INSERT INTO run " : marker);
        var lost = await server.PostAsync(path, body, null, headers);
        Assert.Equal(503, lost.Status);
        Assert.DoesNotContain("Nothing was written", lost.Text, StringComparison.Ordinal);
        Assert.Contains("may be stored, or not", lost.Text, StringComparison.Ordinal);
        // Only a request that is stored once however often it comes is asked for again.
        Assert.Equal(id is not null, lost.Header("Retry-After") is not null);
        Assert.Equal(id is null ? "false" : null, lost.Header("x-should-retry"));
        Assert.Equal(id is not null, lost.Text.Contains("again: it is stored once", StringComparison.Ordinal));

        var list = path.EndsWith("append", StringComparison.Ordinal) ? "/realtime/v1/sessions/s/out/records" : path;
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync(list)).Text.Contains("written", StringComparison.Ordinal)
        );
        if (id is null)
            return;
        Assert.InRange((await server.PostAsync(path, body, null, headers)).Status, 200, 202);
        Assert.Equal(2, (await server.GetAsync(list)).Text.Split("written").Length);
    }
}
