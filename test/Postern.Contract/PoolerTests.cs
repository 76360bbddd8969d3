using System.Text.RegularExpressions;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Two nodes on PostgreSQL behind PgBouncer in transaction mode: nothing depends on a connection's session.
/// Notifications are lost, so the nodes hear of each other through their table.
/// </summary>
public sealed partial class PoolerTests : IAsyncLifetime
{
    private Pooler _pooler = null!;
    private TestServer _one = null!;
    private TestServer _other = null!;

    public async ValueTask InitializeAsync()
    {
        _pooler = await Pooler.StartAsync(PostgresServer.NewDatabase());
        // The first start makes the schema, through the pooler too.
        _one = await TestServer.StartAsync(Backend.Postgres, postgres: _pooler.Connection);
        _other = await TestServer.StartAsync(Backend.Postgres, postgres: _pooler.Connection);
    }

    public async ValueTask DisposeAsync()
    {
        await _other.DisposeAsync();
        await _one.DisposeAsync();
        await _pooler.DisposeAsync();
    }

    [Fact]
    public async Task A_pooler_is_recognized_so_no_statement_is_prepared()
    {
        var direct = await Storage.PostgresConnection.FitAsync(PostgresServer.NewDatabase(), default);
        Assert.NotEqual(0, Storage.PostgresConnection.SettingsOf(direct).MaxAutoPrepare);
        Assert.Equal(_pooler.Connection, await Storage.PostgresConnection.FitAsync(_pooler.Connection, default));
    }

    [Fact]
    public async Task A_stream_has_every_record_that_both_nodes_append_once_and_in_order()
    {
        await _one.StartSessionAsync("s");
        await using var stream = await _other.StreamAsync("/realtime/v1/sessions/s/out", _one.RootKey);
        var answers = new List<Answer>();
        for (var i = 0; i < 60; i++)
            answers.Add(await AppendAsync(i % 2 == 0 ? _one : _other, "s", $"word-{i}-"));
        Assert.All(answers, a => Assert.True(a.Status == 200, a.ToString()));
        var words = new List<string>();
        while (words.Count < 60)
        {
            var frame = await stream.NextAsync() ?? throw new InvalidOperationException("The stream ended.");
            words.AddRange(Word().Matches(frame.Data).Select(m => m.Value));
        }
        Assert.Equal(Enumerable.Range(0, 60).Select(i => $"word-{i}-"), words);
    }

    [Fact]
    public async Task Many_at_once_lose_and_double_nothing()
    {
        for (var i = 0; i < 8; i++)
            await _one.StartSessionAsync("s" + i);
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 256)
                .Select(async i =>
                {
                    var answer = await AppendAsync(i % 2 == 0 ? _one : _other, "s" + i / 2 % 8, $"w{i}", $"p{i / 2}");
                    Assert.True(answer.Status is 200 or 409, answer.ToString());
                    return (Session: "s" + i / 2 % 8, Part: i / 2, answer.Status);
                })
        );
        // Each part came twice, with two texts: one of them is there.
        Assert.All(answers.GroupBy(a => a.Part), p => Assert.Equal([200, 409], p.Select(a => a.Status).Order()));
        var runs = await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(i =>
                    (i % 2 == 0 ? _one : _other).PostAsync(
                        "/api/v1/runs",
                        new { agent = "echo", idempotencyKey = "k" + i / 2 },
                        _one.RootKey
                    )
                )
        );
        Assert.All(runs, r => Assert.True(r.Status is 200 or 202, r.ToString()));
        Assert.Equal(32, runs.Select(r => r.Json.GetProperty("id").GetString()).Distinct().Count());
    }

    [Fact]
    public async Task A_revoked_key_is_refused_by_the_other_node_within_a_second()
    {
        var key = await _one.NamedKeyAsync("ends");
        Assert.Equal(404, (await _other.GetAsync("/api/v1/sessions/none", key.Key)).Status);
        Assert.Equal(204, (await _one.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + key.Id, _one.RootKey)).Status);
        Assert.Equal(401, (await _one.GetAsync("/api/v1/sessions/none", key.Key)).Status);
        await Task.Delay(TimeSpan.FromSeconds(1));
        Assert.Equal(401, (await _other.GetAsync("/api/v1/sessions/none", key.Key)).Status);
    }

    private Task<Answer> AppendAsync(TestServer node, string session, string text, string? part = null) =>
        node.SendAsync(
            HttpMethod.Post,
            $"/realtime/v1/sessions/{session}/out/append",
            _one.RootKey,
            text,
            part is null ? [] : [("X-Part-Id", part)]
        );

    [GeneratedRegex(@"word-\d+-")]
    private static partial Regex Word();
}
