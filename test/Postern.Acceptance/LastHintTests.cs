using System.Net.Http.Json;
using Npgsql;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>A node that dies after a commit, before it has told the other nodes.</summary>
[Collection(nameof(Alone))]
public sealed class LastHintTests : IDisposable
{
    private const string WaitsToTell =
        "wait_event_type = 'Lock' AND query LIKE '%INTO hint_log%' AND pid <> pg_backend_pid()";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string _folder = Directory.CreateTempSubdirectory("postern-hint-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_commit_that_a_killed_node_has_not_announced_reaches_streams_on_the_other_node()
    {
        var database = PostgresServer.NewDatabase();
        await using var one = await StartAsync("1", database);
        await using var two = await StartAsync("2", database);
        using var first = one.Client(one.RootKey);
        using var second = two.Client(one.RootKey);
        await SayAsync(first, "before");
        await using var stream = await StreamAsync(second, "/sessions/s/history");
        Assert.Contains("before", (await stream.NextAsync(Patience))!.Data, StringComparison.Ordinal);

        // Nobody can write a hint now, but everybody can commit.
        await using var gate = new NpgsqlConnection(database);
        await gate.OpenAsync();
        var closed = await gate.BeginTransactionAsync();
        await ExecuteAsync(gate, "LOCK TABLE hint_log IN EXCLUSIVE MODE");
        await SayAsync(first, "acknowledged");
        // By another connection: in a transaction the activity stays as it was at the first look.
        await using var watch = new NpgsqlConnection(database);
        await watch.OpenAsync();
        await WaitFor.TrueAsync(async () => await WaitingAsync(watch) > 0, Patience);

        await one.KillAsync();
        // The dead node's last request to the database would still run, so its connection is ended first.
        await ExecuteAsync(watch, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + WaitsToTell);
        await closed.RollbackAsync();

        Assert.Contains("acknowledged", (await stream.NextAsync(Patience))!.Data, StringComparison.Ordinal);
        Assert.Equal(0L, await CountAsync(gate, "SELECT count(*) FROM hint_log WHERE topics LIKE '%acknowledged%'"));
    }

    private static Task<long> WaitingAsync(NpgsqlConnection watch) =>
        CountAsync(watch, "SELECT count(*) FROM pg_stat_activity WHERE " + WaitsToTell);

    private static async Task<EventReader> StreamAsync(HttpClient http, string path)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.ParseAdd("text/event-stream");
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return new EventReader(response, await response.Content.ReadAsStreamAsync());
    }

    private static async Task SayAsync(HttpClient http, string text)
    {
        using var answer = await http.PostAsJsonAsync("/sessions/s/messages", new { role = "user", content = text });
        answer.EnsureSuccessStatusCode();
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<long> CountAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private Task<ServerProcess> StartAsync(string name, string database) =>
        ServerProcess.StartAsync(
            $"--data {_folder}/{name} --urls http://127.0.0.1:0 --database \"{database}\"",
            new Dictionary<string, string> { ["POSTERN_MASTER_KEY"] = "one master key for both of the nodes" }
        );
}
