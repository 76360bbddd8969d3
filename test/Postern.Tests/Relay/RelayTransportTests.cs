using System.Net;
using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Tests.Relay;

/// <summary>How a plane connects: by polls, again, with other keys, and when it is refused.</summary>
public sealed class RelayTransportTests
{
    private static readonly DoorEntry Hook = TestPlane.Door("/inbound/a", waitMs: 20_000);

    [Fact]
    public async Task A_plane_that_reaches_no_web_socket_polls()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        var first = await PollAsync(plane);
        var ready = Assert.IsType<ReadyHead>(Assert.Single(first).Head);
        Assert.True(ready.Holder);
        var listed = await SendAsync(plane, plane.Encode(new DoorsHead(1), DoorsHead.BodyOf([Hook])));
        Assert.Equal(HttpStatusCode.NoContent, listed);
        Assert.Equal(new KeptHead("doors", 1), Assert.Single(await PollAsync(plane)).Head);
        var asked = relay.PostAsync(plane.At("/inbound/a"), "{\"by\":\"poll\"}");
        var frame = Assert.Single(await PollAsync(plane));
        Assert.Equal("{\"by\":\"poll\"}"u8.ToArray(), plane.Unseal(frame).Body.ToArray());
        await SendAsync(plane, plane.Answer((EnvelopeHead)frame.Head, 200, "polled"));
        Assert.IsType<SettledHead>(Assert.Single(await PollAsync(plane)).Head);
        Assert.Equal("200 polled", (await asked).ToString());
        var shown = await relay.AdminAsync(HttpMethod.Get, "/relay/v1/planes/" + plane.Id);
        Assert.Equal("poll", shown.Json.GetProperty("connections")[0].GetProperty("transport").GetString());
    }

    [Fact]
    public async Task A_poll_that_was_cut_loses_nothing()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await PollAsync(plane);
        await SendAsync(plane, plane.Encode(new DoorsHead(1), DoorsHead.BodyOf([Hook])));
        await PollAsync(plane);
        using (var cut = new CancellationTokenSource())
        {
            var held = plane.PostAsync("/relay/v1/poll", null, null, null, cut.Token);
            await cut.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => held);
        }
        var asked = relay.PostAsync(plane.At("/inbound/a"), "{}");
        var frame = Assert.Single(await PollAsync(plane), f => f.Head is EnvelopeHead);
        await SendAsync(plane, plane.Answer((EnvelopeHead)frame.Head, 200, "still"));
        Assert.Equal("200 still", (await asked).ToString());
    }

    [Fact]
    public async Task A_wrong_frame_ends_the_polled_connection()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        Assert.Equal(HttpStatusCode.Conflict, await SendAsync(plane, plane.Encode(new PingHead(1, 2))));
        await PollAsync(plane);
        using (var malformed = await plane.PostAsync("/relay/v1/send", "no lengths"u8.ToArray()))
            Assert.Equal(HttpStatusCode.BadRequest, malformed.StatusCode);
        using var other = P256Key.Make();
        await SendAsync(plane, new Frame(new PingHead(1, 2)).Encode(other, RelaySignature.ToRelay));
        await WaitFor.TrueAsync(async () => await relay.CountAsync("relay_connection") == 0);
        Assert.Equal(HttpStatusCode.Conflict, await SendAsync(plane, plane.Encode(new PingHead(1, 2))));
        Assert.IsType<ReadyHead>((await PollAsync(plane))[0].Head);
    }

    [Fact]
    public async Task The_same_node_connected_anew_takes_the_place_of_the_old()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var old = await plane.ConnectAsync("node-1", Hook);
        await using var anew = await plane.ConnectAsync("node-1");
        Assert.Equal(CloseCode.Superseded, await old.Closed.Task.WaitAsync(TimeSpan.FromSeconds(10)));
        if (!anew.Ready.Holder)
            await anew.NextAsync<HolderHead>(h => h.Holder);
        var asked = relay.PostAsync(plane.At("/inbound/a"), "{}");
        await anew.AnswerAsync(await anew.NextAsync<EnvelopeHead>(), 200, "new");
        Assert.Equal("200 new", (await asked).ToString());
    }

    [Fact]
    public async Task A_plane_with_an_expired_lease_is_not_shown_as_held()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        Assert.False(await IsHeldAsync(plane));
        await using (await plane.ConnectAsync())
            Assert.True(await IsHeldAsync(plane));
        // As a node of the relay leaves it when it dies. This plane has no connection that would hold it again.
        using var other = await relay.JoinAsync();
        await relay.Database.WriteAsync(tx =>
            tx.ExecuteAsync(
                "UPDATE relay_plane SET holder = 'con_dead', holder_until = $1 WHERE plane = $2",
                tx.Now - 1,
                other.Id
            )
        );
        Assert.False(await IsHeldAsync(other));

        async Task<bool> IsHeldAsync(TestPlane which) =>
            (await relay.AdminAsync(HttpMethod.Get, "/relay/v1/planes/" + which.Id))
                .Json.GetProperty("isHeld")
                .GetBoolean();
    }

    [Fact]
    public async Task A_plane_has_at_most_16_connections()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        var sessions = new List<PlaneSession>();
        for (var i = 0; i < 16; i++)
            sessions.Add(await plane.ConnectAsync("node-" + i));
        await using var refused = new PlaneSession(plane, await plane.SocketAsync("node-16"));
        Assert.Equal(CloseCode.TooMany, await refused.Closed.Task.WaitAsync(TimeSpan.FromSeconds(10)));
        foreach (var session in sessions)
            await session.DisposeAsync();
    }

    [Fact]
    public async Task A_plane_that_says_nothing_is_pinged_and_let_go_after_30_seconds()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var silent = await plane.ConnectAsync("node-1", Hook);
        await using var standby = await plane.ConnectAsync("node-2");
        await silent.NextAsync<PingHead>();
        // Each ping of the relay is answered there, as a plane does.
        var holding = standby.NextAsync<HolderHead>(h => h.Holder, 90);
        for (var n = 1; !holding.IsCompleted; n++)
        {
            await standby.SendAsync(new PingHead(n, 1));
            await Task.WhenAny(holding, Task.Delay(TimeSpan.FromSeconds(5)));
        }
        await holding;
        Assert.Equal(CloseCode.Silent, await silent.Closed.Task.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task A_relay_that_stops_says_so_first()
    {
        var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        var stopping = relay.DisposeAsync().AsTask();
        var bye = (ByeHead)(await session.NextAsync<ByeHead>()).Head;
        Assert.Equal(ByeHead.Draining, bye.Reason);
        await session.Closed.Task.WaitAsync(TimeSpan.FromSeconds(20));
        await stopping;
    }

    [Fact]
    public async Task Keys_are_rotated_under_way_and_the_old_one_signs_for_a_day()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        var (oldSign, oldOpen) = (plane.Sign, plane.Open);
        using var sign = P256Key.Make();
        using var open = P256Key.Make();
        var keys = RotatePlaneKeys.Make(plane.Joined.Relay, plane.Id, sign, open.Public);
        var body = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(keys, Web);
        using (
            var forged = await plane.PostAsync(
                RotatePlaneKeys.Path,
                System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(keys with { Open = oldOpen.Public.Text }, Web)
            )
        )
            Assert.Equal(HttpStatusCode.BadRequest, forged.StatusCode);
        using (var rotated = await plane.PostAsync(RotatePlaneKeys.Path, body))
            Assert.Equal(HttpStatusCode.NoContent, rotated.StatusCode);
        // The old connection continues. New requests are sealed to the new key.
        var asked = relay.PostAsync(plane.At("/inbound/a"), "{}");
        var frame = await session.NextAsync<EnvelopeHead>();
        plane.Open = open;
        Assert.NotNull(plane.Unseal(frame));
        await session.AnswerAsync(frame, 200, "signed by the old");
        Assert.Equal(200, (await asked).Status);
        plane.Sign = sign;
        asked = relay.PostAsync(plane.At("/inbound/a"), "{}");
        await session.AnswerAsync(await session.NextAsync<EnvelopeHead>(), 200, "signed by the new");
        Assert.Equal(200, (await asked).Status);
        plane.Sign = oldSign;
        using (var still = await plane.PostAsync("/relay/v1/send"))
            Assert.Equal(HttpStatusCode.Conflict, still.StatusCode);
        relay.Clock.Advance(TimeSpan.FromHours(25));
        plane.ClockOff = (long)TimeSpan.FromHours(25).TotalMilliseconds;
        await WaitFor.TrueAsync(async () =>
        {
            using var late = await plane.PostAsync("/relay/v1/send");
            return (await late.Content.ReadAsStringAsync()).Contains("bad_signature", StringComparison.Ordinal);
        });
        plane.Sign = sign;
        oldSign.Dispose();
        oldOpen.Dispose();
    }

    [Fact]
    public async Task A_plane_that_leaves_is_unknown_from_then_on()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        using (var left = await plane.PostAsync("/relay/v1/planes/self", method: HttpMethod.Delete))
            Assert.Equal(HttpStatusCode.NoContent, left.StatusCode);
        Assert.Equal(CloseCode.Revoked, await session.Closed.Task.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal(404, (await relay.PostAsync(plane.At("/inbound/a"), "{}")).Status);
        Assert.Contains("relay.plane.left", await relay.AuditAsync());
    }

    [Fact]
    public async Task A_new_list_of_doors_is_open_at_once_and_an_older_one_changes_nothing()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        Assert.Equal(404, (await relay.PostAsync(plane.At("/inbound/b"), "{}")).Status);
        await session.ListAsync(5, Hook, TestPlane.Door("/inbound/b"), TestPlane.Door("/api/v1/runs/*/status"));
        foreach (var target in new[] { "/inbound/b", "/api/v1/runs/run_1/status?x=1" })
            Assert.Equal(202, (await relay.PostAsync(plane.At(target), "{}", ("Prefer", "wait=0"))).Status);
        await session.SendAsync(new DoorsHead(4), DoorsHead.BodyOf([Hook]));
        var kept = (KeptHead)(await session.NextAsync<KeptHead>()).Head;
        Assert.Equal(5, kept.Version);
        Assert.Equal(202, (await relay.PostAsync(plane.At("/inbound/b"), "{}", ("Prefer", "wait=0"))).Status);
        await session.ListAsync(6, Hook);
        Assert.Equal(404, (await relay.PostAsync(plane.At("/inbound/b"), "{}")).Status);
    }

    [Fact]
    public async Task An_unanswered_request_expires_and_the_plane_is_told()
    {
        await using var relay = await RelayNode.StartAsync(set: o => o.RelayServer.RetentionHours = 1);
        using var plane = await relay.JoinAsync();
        await using (var first = await plane.ConnectAsync("node-1", Hook)) { }
        var stored = await relay.PostAsync(plane.At("/inbound/a"), "{}", ("Prefer", "wait=0"));
        relay.Clock.Advance(TimeSpan.FromMinutes(61));
        plane.ClockOff = (long)TimeSpan.FromMinutes(61).TotalMilliseconds;
        var receipt = new Uri(stored.Header("Location")!).PathAndQuery;
        await WaitFor.TrueAsync(async () =>
            (await relay.SendAsync(HttpMethod.Get, receipt)).String("status") == "expired"
        );
        await WaitFor.TrueAsync(async () => (await relay.AuditAsync()).Contains("relay.expired"));
        await using var session = await plane.ConnectAsync();
        Assert.Equal(new OpenNumbers(2, 2), session.Ready.Open);
        var gone = (GoneHead)(await session.NextAsync<GoneHead>()).Head;
        Assert.Equal((1L, GoneHead.Expired), (gone.Seq, gone.Reason));
        relay.Clock.Advance(TimeSpan.FromMinutes(62));
        await WaitFor.TrueAsync(
            async () => (await relay.SendAsync(HttpMethod.Get, receipt)).Status == 404,
            TimeSpan.FromSeconds(30)
        );
    }

    [Fact]
    public async Task The_next_key_of_a_relay_is_announced_before_it_signs()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        var next = await relay.Get<Postern.Relay.Server.RelayIdentity>().RotateAsync(false, "test", "-");
        await using var session = await plane.ConnectAsync("node-1", Hook);
        Assert.Equal(next.Text, session.Ready.NextKey);
        var keys = (await relay.SendAsync(HttpMethod.Get, "/relay/v1/key")).Json.GetProperty("keys");
        Assert.Equal(2, keys.GetArrayLength());
        Assert.Equal(next.Id, keys[0].GetProperty("kid").GetString());
    }

    private static readonly System.Text.Json.JsonSerializerOptions Web = new(
        System.Text.Json.JsonSerializerDefaults.Web
    );

    private static async Task<List<Frame>> PollAsync(TestPlane plane)
    {
        using var answer = await plane.PostAsync("/relay/v1/poll");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var frames = FrameBatch.TryRead(await answer.Content.ReadAsByteArrayAsync());
        return
        [
            .. frames!
                .Select(f => Frame.Read(f, RelaySignature.ToPlane, plane.RelayKey).Frame!)
                .Where(f => f.Head is not PingHead),
        ];
    }

    private static async Task<HttpStatusCode> SendAsync(TestPlane plane, params byte[][] frames)
    {
        using var answer = await plane.PostAsync("/relay/v1/send", FrameBatch.Write(frames));
        return answer.StatusCode;
    }
}
