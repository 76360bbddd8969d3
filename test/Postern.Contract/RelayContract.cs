using System.Text;
using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Contract;

/// <summary>A relay between a sender and a plane, on both databases.</summary>
public sealed class RelayContract
{
    private static readonly DoorEntry Hook = TestPlane.Door("/inbound/a");
    private static readonly DoorEntry Decision = TestPlane.Door(
        "/api/v1/webhooks/approval-response",
        DoorEntry.Approvals,
        10_000
    );

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_request_is_stored_offered_and_answered_by_its_plane(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        Assert.True(session.Ready.Holder);
        Assert.Equal(new OpenNumbers(1, 1), session.Ready.Open);

        var asked = relay.PostAsync(
            plane.At("/inbound/a?x=%2F1"),
            "{\"n\":1}",
            ("X-Kept", "one"),
            ("X-Kept", "two"),
            ("Cookie", "never=1"),
            ("X-Forwarded-For", "203.0.113.9"),
            ("Postern-Envelope", "forged")
        );
        var frame = await session.NextAsync<EnvelopeHead>();
        var head = (EnvelopeHead)frame.Head;
        Assert.Equal((1L, plane.Id, Lane.Of("/inbound/a")), (head.Seq, head.Plane, head.Lane));
        var request = plane.Unseal(frame);
        Assert.Equal(("POST", "/inbound/a?x=%2F1", "127.0.0.1"), (request.Method, request.Target, request.Source));
        Assert.Equal("{\"n\":1}", Encoding.UTF8.GetString(request.Body.Span));
        var names = request.Headers.ToLookup(h => h[0], h => h[1], StringComparer.OrdinalIgnoreCase);
        Assert.Equal("one,two", string.Join(',', names["X-Kept"]).Replace(", ", ",", StringComparison.Ordinal));
        Assert.Empty(names["Cookie"].Concat(names["X-Forwarded-For"]).Concat(names["Postern-Envelope"]));

        await session.AnswerAsync(frame, 409, "{\"success\":false}", ["Content-Type", "application/json"]);
        var settled = await session.NextAsync<SettledHead>();
        Assert.Equal([head.Id], ((SettledHead)settled.Head).Ids);
        var answer = await asked;
        Assert.Equal((409, "{\"success\":false}"), (answer.Status, answer.Text));
        Assert.Equal(head.Id, answer.Header("Postern-Envelope"));
        var receipt = EnvelopeReceipt.TryRead(answer.Header("Postern-Receipt")!, plane.RelayKey);
        Assert.Equal((plane.Id, head.Id, 1L, "POST"), (receipt!.Sub, receipt.Jti, receipt.Seq, receipt.Htm));
        Assert.Equal(EnvelopeReceipt.HashOf("{\"n\":1}"u8), receipt.Bh);
        Assert.Equal(plane.Joined.Url + "/inbound/a", receipt.Htu);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task What_comes_while_the_plane_is_away_waits_for_it_in_order(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        var first = await plane.ConnectAsync("node-1", Hook, Decision);
        await first.CutAsync();
        await WaitFor.TrueAsync(async () => await relay.CountAsync("relay_connection") == 0);
        // It was held a moment ago: whoever comes now would wait for it.
        var receipts = new List<string>();
        for (var i = 1; i <= 5; i++)
        {
            var answer = await relay.PostAsync(plane.At("/inbound/a"), $"{{\"n\":{i}}}", ("Prefer", "respond-async"));
            Assert.Equal((202, true), (answer.Status, answer.Json.GetProperty("success").GetBoolean()));
            Assert.Equal("respond-async", answer.Header("Preference-Applied"));
            receipts.Add(answer.Json.GetProperty("data").GetProperty("receipt").GetString()!);
            Assert.Equal(receipts[^1], answer.Header("Location"));
        }
        var decided = await relay.PostAsync(plane.At(Decision.Path), "{}", ("Prefer", "wait=0"));
        Assert.Equal((202, "stored"), (decided.Status, decided.String("status")));
        var waiting = await relay.SendAsync(HttpMethod.Get, new Uri(receipts[0]).PathAndQuery);
        Assert.Equal("stored", waiting.String("status"));

        await using var session = await plane.ConnectAsync();
        Assert.Equal(new OpenNumbers(1, 7), session.Ready.Open);
        Assert.Equal(6, session.Ready.Backlog.Envelopes);
        var seqs = new List<long>();
        for (var i = 0; i < 6; i++)
        {
            var frame = await session.NextAsync<EnvelopeHead>();
            if (((EnvelopeHead)frame.Head).Lane == Lane.Of("/inbound/a"))
                seqs.Add(((EnvelopeHead)frame.Head).Seq);
            await session.AnswerAsync(frame, 200, "{\"ok\":true}", ["Content-Type", "application/json"]);
        }
        Assert.Equal([1, 2, 3, 4, 5], seqs);
        var told = await relay.SendAsync(HttpMethod.Get, new Uri(receipts[4]).PathAndQuery + "?wait=20");
        Assert.Equal("answered", told.String("status"));
        Assert.Equal(200, told.Json.GetProperty("answer").GetProperty("status").GetInt32());
        Assert.Equal("{\"ok\":true}", told.Json.GetProperty("answer").GetProperty("body").GetString());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task An_unanswered_envelope_is_offered_again_byte_for_byte_to_the_next_holder(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var holder = await plane.ConnectAsync("node-1", Hook);
        await using var standby = await plane.ConnectAsync("node-2");
        Assert.False(standby.Ready.Holder);
        var asked = relay.PostAsync(plane.At("/inbound/a"), "{}");
        var first = await holder.NextAsync<EnvelopeHead>();
        Assert.True(standby.HasNone<EnvelopeHead>());
        await holder.CutAsync();
        Assert.True(((HolderHead)(await standby.NextAsync<HolderHead>()).Head).Holder);
        var second = await standby.NextAsync<EnvelopeHead>();
        Assert.Equal(first.Head, second.Head);
        Assert.Equal(first.Body.ToArray(), second.Body.ToArray());
        await standby.AnswerAsync(second, 200, "done");
        Assert.Equal(200, (await asked).Status);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task The_first_answer_stays_and_a_repeat_is_settled_too(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        var asked = relay.PostAsync(plane.At("/inbound/a"), "{}");
        var frame = await session.NextAsync<EnvelopeHead>();
        await session.AnswerAsync(frame, 200, "first");
        await session.NextAsync<SettledHead>();
        await session.AnswerAsync(frame, 500, "second");
        await session.NextAsync<SettledHead>();
        Assert.Equal((200, "first"), ((await asked).Status, (await asked).Text));
        // A request for an unknown one answers "gone", so that a plane does not repeat it for ever.
        var none = (EnvelopeHead)frame.Head with
        {
            Id = "env_none",
            Seq = 99,
        };
        await session.SendAsync(plane.Answer(none, 200, ""));
        var gone = (GoneHead)(await session.NextAsync<GoneHead>()).Head;
        Assert.Equal(("env_none", GoneHead.Deleted), (gone.Id, gone.Reason));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_revoked_plane_is_cut_off_and_unknown_at_once(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        var asked = relay.PostAsync(plane.At("/inbound/a"), "{}");
        await session.NextAsync<EnvelopeHead>();
        var unknown = await relay.PostAsync("/p/pln_none/inbound/a", "{}");
        Assert.Equal(204, (await relay.AdminAsync(HttpMethod.Delete, "/relay/v1/planes/" + plane.Id)).Status);
        Assert.Equal(CloseCode.Revoked, await session.Closed.Task.WaitAsync(TimeSpan.FromSeconds(10)));
        var after = await relay.PostAsync(plane.At("/inbound/a"), "{}");
        Assert.Equal((404, unknown.Text), (after.Status, after.Text));
        // A caller that still waits is not told that the request was accepted: it will never be handled.
        Assert.Equal(202, (await asked).Status);
        using var refused = await plane.PostAsync("/relay/v1/poll");
        Assert.Equal(401, (int)refused.StatusCode);
        Assert.Contains("\"revoked\"", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(0, await WaitingAsync(relay));
        Assert.Equal(404, (await relay.AdminAsync(HttpMethod.Delete, "/relay/v1/planes/" + plane.Id)).Status);
        Assert.Contains("relay.plane.revoked", await relay.AuditAsync());
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task The_backlog_is_bounded_by_lane_by_network_and_in_all(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync(new { name = "small", envelopes = 100 });
        await using var session = await plane.ConnectAsync("node-1", Hook, TestPlane.Door("/inbound/b"), Decision);
        // Not answered: a quarter for networks that are not known.
        for (var i = 0; i < 25; i++)
            Assert.Equal(202, (await StoreAsync(relay, plane, "/inbound/a")).Status);
        var full = await StoreAsync(relay, plane, "/inbound/b");
        Assert.Equal((503, "60"), (full.Status, full.Header("Retry-After")));
        Assert.Equal("Stored", (await StoreAnswerAsync(relay, plane, session)));
        // Now the network is known: a lane has half.
        var taken = 0;
        while ((await StoreAsync(relay, plane, "/inbound/a")).Status == 202)
            taken++;
        Assert.Equal(50, await CountOfLaneAsync(relay, "/inbound/a"));
        Assert.True(taken > 20);
        while ((await StoreAsync(relay, plane, "/inbound/b")).Status == 202) { }
        Assert.Equal(90, await WaitingAsync(relay));
        // The kept tenth.
        while ((await StoreAsync(relay, plane, Decision.Path)).Status == 202) { }
        Assert.Equal(100, await WaitingAsync(relay));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Many_at_once_have_dense_numbers_and_are_all_answered(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        DoorEntry[] doors = [.. Enumerable.Range(0, 20).Select(i => TestPlane.Door($"/inbound/{i}", waitMs: 30_000))];
        await using var session = await plane.ConnectAsync("node-1", doors);
        var seen = new System.Collections.Concurrent.ConcurrentBag<long>();
        var answering = session.AnswerAllAsync(
            (head, request) =>
            {
                seen.Add(head.Seq);
                return (200, Encoding.UTF8.GetString(request.Body.Span));
            }
        );
        // Simultaneous requests are stored together: none is told to try again.
        var asked = await Task.WhenAll(
            Enumerable.Range(0, 300).Select(i => relay.PostAsync(plane.At($"/inbound/{i % 20}"), $"{{\"n\":{i}}}"))
        );
        Assert.All(asked.Select((a, i) => (a, i)), x => Assert.Equal($"200 {{\"n\":{x.i}}}", x.a.ToString()));
        Assert.Equal(Enumerable.Range(1, 300).Select(i => (long)i), seen.Distinct().Order());
        await session.CutAsync();
        await answering;
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_plane_of_lost_keys_joins_again_and_keeps_its_url(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        var before = await StoreAsync(relay, plane, "/inbound/a");
        Assert.Equal(202, before.Status);
        using var again = await relay.JoinAsync(new { name = "again", plane = plane.Id });
        Assert.Equal(plane.Id, again.Id);
        Assert.Equal(0, await WaitingAsync(relay));
        using var refused = await plane.PostAsync("/relay/v1/poll");
        Assert.Equal(401, (int)refused.StatusCode);
        await using var anew = await again.ConnectAsync("node-2");
        var gone = (GoneHead)(await anew.NextAsync<GoneHead>()).Head;
        Assert.Equal((1L, GoneHead.Deleted), (gone.Seq, gone.Reason));
        var asked = relay.PostAsync(again.At("/inbound/a"), "{}");
        var frame = await anew.NextAsync<EnvelopeHead>();
        Assert.NotNull(again.Unseal(frame));
        await anew.AnswerAsync(frame, 200, "");
        Assert.Equal(200, (await asked).Status);
    }

    [Fact]
    public async Task A_second_node_takes_over_and_answers_whoever_waits_at_the_first()
    {
        var database = PostgresServer.NewDatabase();
        await using var one = await RelayNode.StartAsync(Backend.Postgres, postgres: database);
        await using var two = await RelayNode.StartAsync(Backend.Postgres, postgres: database);
        using var plane = await one.JoinAsync();
        await using var holder = await plane.ConnectAsync("node-1", Hook);
        var asked = two.PostAsync(plane.At("/inbound/a"), "{}");
        var frame = await holder.NextAsync<EnvelopeHead>();
        await holder.AnswerAsync(frame, 200, "across");
        Assert.Equal("200 across", (await asked).ToString());
    }

    private static Task<Answer> StoreAsync(RelayNode relay, TestPlane plane, string target) =>
        relay.PostAsync(plane.At(target), "{}", ("Prefer", "respond-async"));

    /// <summary>Answers one of what waits, so that the network becomes known.</summary>
    private static async Task<string> StoreAnswerAsync(RelayNode relay, TestPlane plane, PlaneSession session)
    {
        var frame = await session.NextAsync<EnvelopeHead>();
        await session.AnswerAsync(frame, 200, "");
        await session.NextAsync<SettledHead>();
        var stored = await StoreAsync(relay, plane, "/inbound/b");
        return stored.Json.GetProperty("data").GetProperty("message").GetString()!;
    }

    private static ValueTask<long> WaitingAsync(RelayNode relay) =>
        relay.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT COUNT(*) FROM relay_request WHERE state = 'stored'", r => r.GetInt64(0))
        );

    private static ValueTask<long> CountOfLaneAsync(RelayNode relay, string target) =>
        relay.Database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT COUNT(*) FROM relay_request WHERE state = 'stored' AND lane = $1",
                r => r.GetInt64(0),
                Lane.Of(target)
            )
        );
}
