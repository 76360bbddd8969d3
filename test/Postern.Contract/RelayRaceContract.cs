using System.Net;
using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Postern.Relay.Plane;
using Postern.Relay.Protocol;
using Postern.Support;
using PlaneSession = Postern.Support.PlaneSession;

namespace Postern.Contract;

/// <summary>Many ask at once for what may happen only once, at one node of a relay and at several.</summary>
public sealed class RelayRaceContract
{
    private const int Many = 64;
    private static readonly DoorEntry Hook = TestPlane.Door("/inbound/a");

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_many_that_have_one_code_one_joins_and_the_others_learn_of_it(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        var code = await relay.CodeAsync();
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, Many)
                .Select(async n =>
                {
                    using var sign = P256Key.Make();
                    using var open = P256Key.Make();
                    var join = JoinRelay.Make(code, $"thief {n}", sign, open.Public);
                    using var answer = await relay.Http.PostAsJsonAsync(JoinRelay.Path, join);
                    return (answer.StatusCode, Text: await answer.Content.ReadAsStringAsync());
                })
        );
        Assert.Single(answers, a => a.StatusCode == HttpStatusCode.Created);
        Assert.All(
            answers.Where(a => a.StatusCode != HttpStatusCode.Created),
            a => Assert.True(a.StatusCode == HttpStatusCode.Conflict && a.Text.Contains("thief"), a.Text)
        );
        Assert.Equal(1, await relay.CountAsync("relay_plane"));
        Assert.Single(await relay.AuditAsync(), a => a == "relay.plane.enrolled");
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_nonce_is_good_once_however_many_bring_it(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        var proof = plane.Authorize("POST", "/relay/v1/send", []);
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, Many)
                .Select(async _ =>
                {
                    using var answer = await plane.PostAsync("/relay/v1/send", [], proof);
                    return await answer.Content.ReadAsStringAsync();
                })
        );
        Assert.Single(answers, a => a.Contains("\"not_connected\"", StringComparison.Ordinal));
        Assert.Equal(Many - 1, answers.Count(a => a.Contains("\"nonce_used\"", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Of_many_polls_at_once_one_is_greeted_and_one_gets_what_comes(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using (await plane.ConnectAsync("first_1", Hook)) { }
        using var stop = new CancellationTokenSource();
        var got = new System.Collections.Concurrent.ConcurrentBag<Frame>();
        var polling = Enumerable.Range(0, 12).Select(_ => PollAsync()).ToList();
        await WaitFor.TrueAsync(() => Task.FromResult(got.Any(f => f.Head is ReadyHead)), what: "it is greeted");
        var asked = relay.PostAsync(plane.At("/inbound/a"), "{}", ("Prefer", "wait=30"));
        await WaitFor.TrueAsync(() => Task.FromResult(got.Any(f => f.Head is EnvelopeHead)), what: "it is offered");
        var frame = got.Single(f => f.Head is EnvelopeHead);
        using (
            var sent = await plane.PostAsync(
                "/relay/v1/send",
                FrameBatch.Write([plane.Answer((EnvelopeHead)frame.Head, 200, "once")])
            )
        )
            Assert.Equal(HttpStatusCode.NoContent, sent.StatusCode);
        Assert.Equal("200 once", (await asked).ToString());
        await stop.CancelAsync();
        await Task.WhenAll(polling);
        Assert.Single(got, f => f.Head is ReadyHead);
        Assert.Single(got, f => f.Head is EnvelopeHead);
        Assert.Equal(1, await relay.CountAsync("relay_connection"));

        async Task PollAsync()
        {
            try
            {
                while (!stop.IsCancellationRequested)
                {
                    using var answer = await plane.PostAsync("/relay/v1/poll", null, null, null, stop.Token);
                    if (answer.StatusCode != HttpStatusCode.OK)
                        continue;
                    foreach (var bytes in FrameBatch.TryRead(await answer.Content.ReadAsByteArrayAsync())!)
                        got.Add(Frame.Read(bytes, RelaySignature.ToPlane, plane.RelayKey).Frame!);
                }
            }
            catch (OperationCanceledException)
            {
                // The test is over.
            }
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_process_that_connects_anew_wins_at_once_and_its_old_connection_never_again(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var socket = await plane.ConnectAsync("process_1", Hook);
        // The first connection is dead, but nobody has noticed: the next one of the same process replaces it.
        var asked = relay.PostAsync(plane.At("/inbound/a"), "{}", ("Prefer", "wait=20"));
        await socket.NextAsync<EnvelopeHead>();
        var began = System.Diagnostics.Stopwatch.StartNew();
        var frames = new List<Frame>();
        while (!frames.Exists(f => f.Head is EnvelopeHead))
            frames.AddRange(await PollAsync(plane, "process_2"));
        Assert.True(began.Elapsed < TimeSpan.FromSeconds(10), began.Elapsed.ToString());
        Assert.Equal(CloseCode.Superseded, await socket.Closed.Task.WaitAsync(TimeSpan.FromSeconds(10)));
        var head = (EnvelopeHead)frames.First(f => f.Head is EnvelopeHead).Head;
        var batch = FrameBatch.Write([plane.Answer(head, 200, "polled")]);
        var proof = plane.Authorize("POST", "/relay/v1/send", batch, "process_2");
        using (var sent = await plane.PostAsync("/relay/v1/send", batch, proof))
            Assert.Equal(HttpStatusCode.NoContent, sent.StatusCode);
        Assert.Equal("200 polled", (await asked).ToString());
        // The older connection asks again: it is told so, and changes nothing.
        using (
            var late = await plane.PostAsync(
                "/relay/v1/poll",
                [],
                plane.Authorize("POST", "/relay/v1/poll", [], "process_1")
            )
        )
            Assert.Contains("\"superseded\"", await late.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await using var back = new PlaneSession(plane, await plane.SocketAsync("process_1"));
        Assert.Equal(CloseCode.Superseded, await back.Closed.Task.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal(1, await relay.CountAsync("relay_connection"));
    }

    [Fact]
    public async Task A_message_seen_by_one_node_is_known_to_the_other()
    {
        var database = PostgresServer.NewDatabase();
        await using var one = await RelayNode.StartAsync(Backend.Postgres, postgres: database);
        await using var two = await RelayNode.StartAsync(Backend.Postgres, postgres: database);
        using var plane = await one.JoinAsync();
        var proof = plane.Authorize("POST", "/relay/v1/send", []);
        Assert.Contains("not_connected", await SendAsync(one.Url), StringComparison.Ordinal);
        Assert.Contains("nonce_used", await SendAsync(two.Url), StringComparison.Ordinal);

        // A connection polled at one node is not begun again at the other: the request came to the wrong one.
        Assert.IsType<ReadyHead>((await PollAsync(plane, "process_1"))[0].Head);
        foreach (var path in (string[])["/relay/v1/poll", "/relay/v1/send"])
        {
            using var elsewhere = await PostAsync(two.Url, path, plane.Authorize("POST", path, [], "process_1"));
            Assert.Equal(HttpStatusCode.Conflict, elsewhere.StatusCode);
            Assert.Contains(RelayLimits.NotHere, await elsewhere.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            Assert.True(elsewhere.Headers.ConnectionClose);
        }
        // Its node seems dead: the next node that is asked takes the connection. The node lives, and may renew between.
        await WaitFor.TrueAsync(async () =>
        {
            await one.Database.WriteAsync(tx =>
                tx.ExecuteAsync("UPDATE relay_connection SET seen_at = $1", tx.Now - 13_000_000)
            );
            var asked = plane.Authorize("POST", "/relay/v1/poll", [], "process_1");
            using var anew = await PostAsync(two.Url, "/relay/v1/poll", asked);
            return anew.StatusCode == HttpStatusCode.OK;
        });

        async Task<string> SendAsync(string url)
        {
            using var answer = await PostAsync(url, "/relay/v1/send", proof);
            return await answer.Content.ReadAsStringAsync();
        }

        async Task<HttpResponseMessage> PostAsync(string url, string path, PlaneAuthorization asked)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, url + path);
            request.Headers.TryAddWithoutValidation("Authorization", asked.ToString());
            request.Content = new ByteArrayContent([]);
            return await two.Http.SendAsync(request);
        }
    }

    /// <summary>
    /// Two nodes of a relay behind haproxy, which sends each request to the next one, and a server without WebSockets.
    /// </summary>
    [Fact]
    public async Task A_server_that_polls_is_served_by_two_nodes_behind_a_balancer()
    {
        var database = PostgresServer.NewDatabase();
        await using var one = await RelayNode.StartAsync(Backend.Postgres, postgres: database);
        await using var two = await RelayNode.StartAsync(Backend.Postgres, postgres: database);
        var port = PostgresServer.FreePort();
        await using var front = await FrontServer.HaproxyAsync(port, [new Uri(one.Url).Port, new Uri(two.Url).Port]);
        await using var server = await TestServer.StartAsync(
            Backend.Sqlite,
            o => (o.Relay.DangerousPlainHttp, o.Relay.Transport) = (true, "poll")
        );
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        await server.PostAsync(
            "/api/triggers/user/u/open",
            new
            {
                agent = "idle",
                promptTemplate = "{{body}}",
                maxInFlight = 1000,
            }
        );
        var code = (await one.CodeAsync()).ToString();
        var joined = await server
            .App.Services.GetRequiredService<PlaneEnrolment>()
            .JoinAsync(code.Replace(one.Url, $"http://127.0.0.1:{port}", StringComparison.Ordinal), "office", default);
        var at = $"/p/{joined.Plane}/inbound/user/u/open";
        await WaitFor.TrueAsync(
            async () => (await two.SendAsync(HttpMethod.Get, at)).Status == 405,
            what: "it is open"
        );
        for (var n = 0; n < 20; n++)
        {
            var answer = await (n % 2 == 0 ? one : two).PostAsync(at, $"{{\"n\":{n}}}", ("Prefer", "wait=20"));
            Assert.True(answer.Status == 200, answer.ToString());
        }
        var connection = (await server.GetAsync("/api/v1/relay")).Json.GetProperty("data")[0].GetProperty("connection");
        Assert.Equal(1, connection.GetProperty("connects").GetInt64());
        Assert.DoesNotContain("relay_refused", (await server.GetAsync("/api/v1/audit?limit=200")).Text);
    }

    private static async Task<List<Frame>> PollAsync(TestPlane plane, string node)
    {
        using var answer = await plane.PostAsync(
            "/relay/v1/poll",
            [],
            plane.Authorize("POST", "/relay/v1/poll", [], node)
        );
        Assert.True((int)answer.StatusCode is 200 or 204, await answer.Content.ReadAsStringAsync());
        var frames = FrameBatch.TryRead(await answer.Content.ReadAsByteArrayAsync())!;
        return [.. frames.Select(f => Frame.Read(f, RelaySignature.ToPlane, plane.RelayKey).Frame!)];
    }
}
