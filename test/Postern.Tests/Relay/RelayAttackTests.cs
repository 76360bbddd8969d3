using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using Postern.Relay.Protocol;
using Postern.Relay.Server;
using Postern.Support;

namespace Postern.Tests.Relay;

/// <summary>Strangers at the relay's routes, and malicious planes.</summary>
public sealed class RelayAttackTests
{
    private static readonly DoorEntry Hook = TestPlane.Door("/inbound/a");

    [Fact]
    public async Task An_unlisted_path_is_answered_like_an_unknown_plane()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook, TestPlane.Door("/api/v1/runs/*/status"));
        foreach (
            var target in new[]
            {
                "/inbound/b",
                "/inbound/A",
                "/inbound/%61",
                "/inbound/a/",
                "/inbound/a/b",
                "/inbound",
                "/",
                "",
                "/api/v1/sessions",
                "/api/v1/keys",
                "/api/v1/runs/x/y/status",
                "/api/v1/runs//status",
                "/console",
                "/../p/inbound/a",
                "/inbound/x/../a",
                "/inbound/./a",
                "/inbound/%2e%2e/inbound/a",
                "//inbound/a",
                "/inbound//a",
                "/inbound/a%2f",
                "/inbound/a;x",
                "/inbound/a%3Fx",
                "/inbound/a#x",
                "/inbound\\a",
                "inbound/a",
                "?x",
                "/inbound/%E0%A4%A",
            }
        )
        {
            var here = await RawAsync(relay, $"/p/{plane.Id}{target}");
            var nowhere = await RawAsync(relay, $"/p/pln_{new string('0', 26)}{target}");
            Assert.True(here.StartsWith("HTTP/1.1 404", StringComparison.Ordinal), target + here);
            Assert.Equal(nowhere, here);
        }
        Assert.Equal(0, await relay.CountAsync("relay_request"));
    }

    /// <summary>The name of one plane in a spelling that only a proxy in between could read as another name.</summary>
    [Fact]
    public async Task Only_the_exact_name_of_a_plane_is_accepted()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        foreach (
            var target in new[]
            {
                $"/p/x/../{plane.Id}/inbound/a",
                $"/p/./{plane.Id}/inbound/a",
                $"//p/{plane.Id}/inbound/a",
                $"/p//{plane.Id}/inbound/a",
                $"/%70/{plane.Id}/inbound/a",
                $"/p/%70{plane.Id[1..]}/inbound/a",
                $"/p/{plane.Id}%2Finbound/a",
                $"/p/{plane.Id.ToUpperInvariant()}/inbound/a",
                $"http://relay.example/p/{plane.Id}/inbound/a",
            }
        )
            Assert.Matches("^HTTP/1.1 40[04] ", await RawAsync(relay, target));
        Assert.Equal(0, await relay.CountAsync("relay_request"));
    }

    /// <summary>
    /// Requests whose end or headers two servers could read in two ways, and requests that never end.
    /// </summary>
    [Fact]
    public async Task An_ambiguous_request_or_one_with_a_false_length_is_not_stored()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        foreach (
            var (headers, body) in new[]
            {
                ("Content-Length: 2\r\nContent-Length: 3\r\n", "{}x"),
                ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
                ("Transfer-Encoding: gzip, chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
                ("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"),
                ("Transfer-Encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n"),
                ("Content-Length: +2\r\n", "{}"),
                ("Content-Length: 2 \r\n 3\r\n", "{}"),
                ("X-Folded: a\r\n b\r\nContent-Length: 2\r\n", "{}"),
                ("X-Space : a\r\nContent-Length: 2\r\n", "{}"),
                ("X-Nul: a\0b\r\nContent-Length: 2\r\n", "{}"),
                ("X-Return: a\rb\r\nContent-Length: 2\r\n", "{}"),
                (": nameless\r\nContent-Length: 2\r\n", "{}"),
                ($"X-Huge: {new string('x', 40_000)}\r\nContent-Length: 2\r\n", "{}"),
            }
        )
        {
            var answer = await ExchangeAsync(relay, plane.At("/inbound/a"), headers, body);
            Assert.True(
                answer.StartsWith("HTTP/1.1 4", StringComparison.Ordinal) || answer.Length == 0,
                headers[..Math.Min(60, headers.Length)] + answer
            );
        }
        // It announces ten bytes, sends two or none, and closes.
        foreach (var body in new[] { "{}", "" })
            Assert.DoesNotContain(
                "HTTP/1.1 2",
                await ExchangeAsync(relay, plane.At("/inbound/a"), "Content-Length: 10\r\n", body),
                StringComparison.Ordinal
            );
        Assert.Equal(0, await relay.CountAsync("relay_request"));
        // After the announced length there is another request, which is not read.
        var two = await ExchangeAsync(
            relay,
            plane.At("/inbound/a"),
            "Prefer: respond-async\r\nContent-Length: 2\r\n",
            $"{{}}POST {plane.At("/inbound/a")} HTTP/1.1\r\nHost: x\r\n",
            ends: false
        );
        Assert.StartsWith("HTTP/1.1 202", two, StringComparison.Ordinal);
        Assert.Equal(1, await relay.CountAsync("relay_request"));
    }

    /// <summary>Beside <c>close</c> or <c>keep-alive</c> the server that reads it keeps no other name.</summary>
    [Theory]
    [InlineData("Connection: X-Named\r\n")]
    [InlineData("Connection: foo, x-NAMED\r\n")]
    [InlineData("Connection: foo\r\nConnection: x-NAMED\r\n")]
    public async Task What_is_named_as_of_the_connection_goes_no_further(string headers)
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        await ExchangeAsync(
            relay,
            plane.At("/inbound/a"),
            $"X-Named: 1\r\nX-Other: 2\r\nPrefer: respond-async\r\n{headers}Content-Length: 2\r\n",
            "{}",
            ends: false
        );
        var request = plane.Unseal(await session.NextAsync<EnvelopeHead>());
        var names = request.Headers.Select(h => h[0]).ToList();
        Assert.DoesNotContain("X-Named", names);
        Assert.Contains("X-Other", names);
    }

    [Theory]
    [InlineData("wait=56")]
    [InlineData("wait=-1")]
    [InlineData("wait=1e3")]
    [InlineData("wait=+1")]
    [InlineData("wait=99999999999999999999")]
    [InlineData("wait")]
    [InlineData("wait=;;,,=,")]
    [InlineData("respond-asyncx")]
    [InlineData("\"respond-async\"")]
    public async Task An_unreadable_preference_is_ignored(string prefer)
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", TestPlane.Door("/inbound/a", waitMs: 0));
        var stored = await relay.PostAsync(plane.At("/inbound/a"), "{}", ("Prefer", prefer));
        Assert.Equal((202, null), (stored.Status, stored.Header("Preference-Applied")));
        var read = await relay.PostAsync(plane.At("/inbound/a"), "{}", ("Prefer", prefer + ", respond-async"));
        Assert.Equal((202, "respond-async"), (read.Status, read.Header("Preference-Applied")));
    }

    [Fact]
    public async Task Other_methods_too_much_and_bearers_store_nothing()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        foreach (var method in new[] { "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH" })
        {
            var other = await relay.SendAsync(new HttpMethod(method), plane.At("/inbound/a"));
            Assert.Equal((405, "POST"), (other.Status, other.Header("Allow")));
        }
        Assert.Equal(413, (await relay.PostAsync(plane.At("/inbound/a"), new byte[64 * 1024 + 1])).Status);
        foreach (
            var (name, value) in new[]
            {
                ("X-API-Key", "x"),
                ("X-Internal-API-Key", "x"),
                ("X-Callback-Secret", "x"),
                ("X-Callback-Token", "x"),
                ("Authorization", "Bearer pst_root_1_2_3"),
                ("Authorization", "Bearer eyJhbGciOi.x.y"),
            }
        )
        {
            var refused = await relay.PostAsync(plane.At("/inbound/a"), "{}", (name, value));
            Assert.True(refused.Status == 400, $"{name}: {refused}");
            Assert.Contains("rotate", refused.Text, StringComparison.Ordinal);
        }
        Assert.Equal(0, await relay.CountAsync("relay_request"));
    }

    [Fact]
    public async Task An_answer_of_a_plane_runs_in_no_browser_and_sets_no_cookie()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        var answer = await AnsweredAsync(
            relay,
            plane,
            session,
            200,
            "<script>alert(1)</script>",
            ["Content-Type", "text/html"],
            ["Set-Cookie", "a=b"],
            ["Location", "https://evil.example/"],
            ["Access-Control-Allow-Origin", "*"],
            ["Content-Security-Policy", "default-src *"],
            ["Retry-After", "7"],
            ["WWW-Authenticate", "x\r\nSet-Cookie: a=b"]
        );
        Assert.Equal("application/octet-stream", answer.Header("Content-Type"));
        Assert.Equal("sandbox; default-src 'none'", answer.Header("Content-Security-Policy"));
        Assert.Equal("nosniff", answer.Header("X-Content-Type-Options"));
        Assert.Equal("no-store", answer.Header("Cache-Control"));
        Assert.Equal("7", answer.Header("Retry-After"));
        foreach (var name in new[] { "Set-Cookie", "Location", "Access-Control-Allow-Origin", "WWW-Authenticate" })
            Assert.Null(answer.Header(name));

        foreach (var status in new[] { 0, 101, 199, 600, 999 })
            Assert.Equal(502, (await AnsweredAsync(relay, plane, session, status, "x")).Status);
        var large = await AnsweredAsync(relay, plane, session, 200, new string('x', RelayLimits.Answer + 1));
        Assert.Equal(502, large.Status);
        Assert.Equal(
            200,
            (await AnsweredAsync(relay, plane, session, 200, new string('x', RelayLimits.Answer))).Status
        );
        Assert.Equal(204, (await AnsweredAsync(relay, plane, session, 204, "ignored")).Status);
    }

    [Fact]
    public async Task A_plane_answers_for_itself_alone()
    {
        await using var relay = await RelayNode.StartAsync();
        using var victim = await relay.JoinAsync();
        using var plane = await relay.JoinAsync();
        await using var honest = await victim.ConnectAsync("node-1", Hook);
        var asked = relay.PostAsync(victim.At("/inbound/a"), "{}");
        var frame = await honest.NextAsync<EnvelopeHead>();
        // In its own name with the victim's ids: it cannot answer anything.
        var mine = (EnvelopeHead)frame.Head with
        {
            Plane = plane.Id,
        };
        await using (var session = await plane.ConnectAsync("node-1", Hook))
        {
            await session.SendAsync(plane.Answer(mine, 200, "forged"));
            Assert.Equal(GoneHead.Deleted, ((GoneHead)(await session.NextAsync<GoneHead>()).Head).Reason);
            // In the victim's name.
            await session.SendAsync(plane.Answer((EnvelopeHead)frame.Head, 200, "forged"));
            Assert.Equal(CloseCode.Protocol, await session.Closed.Task.WaitAsync(TimeSpan.FromSeconds(10)));
        }
        await honest.AnswerAsync(frame, 200, "true");
        Assert.Equal("200 true", (await asked).ToString());
        Assert.Contains("relay.frame.refused", await relay.AuditAsync());
    }

    [Theory]
    [InlineData("another key", CloseCode.Protocol)]
    [InlineData("another direction", CloseCode.Protocol)]
    [InlineData("no frame", CloseCode.Protocol)]
    [InlineData("no doors", CloseCode.Protocol)]
    [InlineData("text", CloseCode.Protocol)]
    [InlineData("too large", CloseCode.TooLarge)]
    public async Task A_malformed_frame_ends_the_connection(string kind, int code)
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        using var other = P256Key.Make();
        using var socket = await plane.SocketAsync();
        byte[] bytes = kind switch
        {
            "another key" => new Frame(new PingHead(1, 2)).Encode(other, RelaySignature.ToRelay),
            "another direction" => new Frame(new PingHead(1, 2)).Encode(plane.Sign, RelaySignature.ToPlane),
            "no doors" => plane.Encode(new DoorsHead(1), "[{}]"u8.ToArray()),
            "too large" => new byte[RelayLimits.Frame + 1],
            _ => "hello"u8.ToArray(),
        };
        var type = kind == "text" ? WebSocketMessageType.Text : WebSocketMessageType.Binary;
        try
        {
            await socket.SendAsync(bytes, type, endOfMessage: true, default);
        }
        catch (WebSocketException)
        {
            // It was closed while the rest was still on its way.
        }
        var buffer = new byte[RelayLimits.Fragment];
        WebSocketReceiveResult read;
        do read = await socket.ReceiveAsync(buffer, default);
        while (read.MessageType != WebSocketMessageType.Close);
        Assert.Equal(code, (int)read.CloseStatus!);
    }

    [Fact]
    public async Task A_handshake_is_taken_once_from_the_right_key_at_the_right_time()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        using var other = await relay.JoinAsync();
        var used = plane.Authorize("POST", "/relay/v1/send", []);
        await RefusedAsync(plane, HandshakeRefusal.BadSignature, used with { Plane = other.Id });
        await RefusedAsync(plane, HandshakeRefusal.BadSignature, used with { Node = "another" });
        await RefusedAsync(plane, HandshakeRefusal.UnknownPlane, used with { Plane = "pln_none" });
        foreach (var off in new[] { -301_000, 302_000 })
        {
            plane.ClockOff = off;
            await RefusedAsync(plane, HandshakeRefusal.ClockSkew, plane.Authorize("POST", "/relay/v1/send", []));
        }
        foreach (var off in new[] { -298_000, 299_000 })
        {
            plane.ClockOff = off;
            using var within = await plane.PostAsync("/relay/v1/send", []);
            Assert.Equal(HttpStatusCode.Conflict, within.StatusCode);
        }
        plane.ClockOff = 0;
        using (var first = await plane.PostAsync("/relay/v1/send", [], used))
            Assert.Equal(HttpStatusCode.Conflict, first.StatusCode);
        await RefusedAsync(plane, HandshakeRefusal.NonceUsed, used);
        // Signed for another body.
        await RefusedAsync(
            plane,
            HandshakeRefusal.BadSignature,
            plane.Authorize("POST", "/relay/v1/send", "x"u8.ToArray())
        );
        var bare = await relay.PostAsync("/relay/v1/send");
        Assert.Equal(401, bare.Status);
        Assert.Equal(401, (await relay.PostAsync("/relay/v1/send", null, ("Authorization", "Bearer x"))).Status);
        Assert.Equal(426, (await relay.SendAsync(HttpMethod.Get, "/relay/v1/connect")).Status);
        Assert.Contains("credential.refused", await relay.AuditAsync());
    }

    [Fact]
    public async Task A_code_lets_one_plane_in_once()
    {
        await using var relay = await RelayNode.StartAsync();
        var code = await relay.CodeAsync();
        using var sign = P256Key.Make();
        using var open = P256Key.Make();
        var join = JoinRelay.Make(code, "mine", sign, open.Public);
        // With only the name of the code, or with another proof.
        var guess = code with
        {
            Secret = EnrolmentCode.NewSecret(),
        };
        Assert.Equal("401 bad_code", await JoinedAsync(relay, JoinRelay.Make(guess, "mine", sign, open.Public)));
        Assert.Equal("401 bad_code", await JoinedAsync(relay, join with { Open = sign.Public.Text }));
        Assert.Equal("401 bad_code", await JoinedAsync(relay, join with { Name = "yours" }));
        var none = code with { Id = new string('0', 26) };
        Assert.Equal("401 bad_code", await JoinedAsync(relay, JoinRelay.Make(none, "mine", sign, open.Public)));
        Assert.Equal("400 invalid_body", await JoinedAsync(relay, join with { Sign = new string('A', 87) }));
        Assert.Equal(0, await relay.CountAsync("relay_plane"));

        Assert.StartsWith("201", await JoinedAsync(relay, join), StringComparison.Ordinal);
        var late = JoinRelay.Make(code, "thief", sign, open.Public);
        Assert.Equal("409 code_used", await JoinedAsync(relay, late));
        Assert.Equal("401 bad_code", await JoinedAsync(relay, JoinRelay.Make(guess, "thief", sign, open.Public)));
        Assert.Equal(1, await relay.CountAsync("relay_plane"));

        var brief = await relay.CodeAsync(new { name = "brief", forSeconds = 1 });
        relay.Clock.Advance(TimeSpan.FromSeconds(2));
        await WaitFor.TrueAsync(async () =>
            await JoinedAsync(relay, JoinRelay.Make(brief, "late", sign, open.Public)) == "401 bad_code"
        );
        Assert.Equal(1, await relay.CountAsync("relay_plane"));
    }

    [Fact]
    public async Task Receipts_tell_nothing_to_who_has_no_token()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        var stored = await relay.PostAsync(plane.At("/inbound/a"), "{}", ("Prefer", "respond-async"));
        var id = stored.Header("Postern-Envelope");
        foreach (var token in new[] { id, "x", new string('A', 43), new string('=', 43) })
            Assert.Equal(404, (await relay.SendAsync(HttpMethod.Get, "/relay/v1/receipts/" + token)).Status);
        var receipt = new Uri(stored.Header("Location")!).PathAndQuery;
        Assert.Equal(400, (await relay.SendAsync(HttpMethod.Get, receipt + "?wait=56")).Status);
        Assert.Equal(200, (await relay.SendAsync(HttpMethod.Get, receipt)).Status);
    }

    /// <summary>The owner of one receipt asks for it as often as possible: callers are still answered.</summary>
    [Fact]
    public async Task Requests_for_a_receipt_take_no_place_of_callers()
    {
        await using var relay = await RelayNode.StartAsync(set: o => o.RelayServer.Waiting = 2);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook, TestPlane.Door("/inbound/b"));
        var stored = await relay.PostAsync(plane.At("/inbound/a"), "{}", ("Prefer", "respond-async"));
        var held = await session.NextAsync<EnvelopeHead>();
        var receipt = new Uri(stored.Header("Location")!).PathAndQuery;
        var following = Enumerable
            .Range(0, 4)
            .Select(_ => relay.SendAsync(HttpMethod.Get, receipt + "?wait=20"))
            .ToList();
        // Those without a place get the present state at once.
        Assert.Equal("stored", (await await Task.WhenAny(following)).String("status"));
        var asked = relay.PostAsync(plane.At("/inbound/b"), "{}");
        await session.AnswerAsync(await session.NextAsync<EnvelopeHead>(), 200, "at once");
        Assert.Equal("200 at once", (await asked).ToString());
        await session.AnswerAsync(held, 200, "");
        await Task.WhenAll(following);
    }

    /// <summary>A plane that sends one frame after another and reads no answer is disconnected.</summary>
    [Fact]
    public async Task A_plane_that_does_not_read_uses_no_more_memory()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        var row = (await relay.Get<RelayPlaneStore>().FindAsync(plane.Id))!;
        var caller = new PlaneCaller(row, plane.Authorize("GET", "/relay/v1/connect"));
        var link = new DeafLink(relay.Clock, n => plane.Encode(new PageEndHead(new string('A', 22), n)));
        var ended = relay.Get<RelayConnections>().RunAsync(caller, link, "198.51.100.1");
        await ended.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.InRange(link.Brought, 900, 1_200);
    }

    private sealed class DeafLink(TimeProvider clock, Func<long, byte[]> bring) : PlaneLink(clock)
    {
        private int _sent;

        public int Brought { get; private set; }

        public override string Transport => ConnectionRow.WebSocket;

        /// <summary>The first frame passes, then none.</summary>
        public override Task SendAsync(byte[] frame, CancellationToken stop) =>
            _sent++ == 0 ? Task.CompletedTask : Task.Delay(Timeout.Infinite, stop);

        public override Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken stop)
        {
            stop.ThrowIfCancellationRequested();
            Heard();
            return Task.FromResult<ReadOnlyMemory<byte>?>(bring(++Brought));
        }

        public override Task CloseAsync(int code, string reason) => Task.CompletedTask;
    }

    [Fact]
    public async Task A_flood_from_an_unknown_network_is_slowed_and_ends_no_known_one()
    {
        await using var relay = await RelayNode.StartAsync(set: o =>
        {
            o.RelayServer.UnknownPerSecond = 1;
            o.RelayServer.TrustedProxies = ["127.0.0.0/8"];
        });
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync("node-1", Hook);
        var known = relay.PostAsync(plane.At("/inbound/a"), "{}", ("X-Forwarded-For", "198.51.100.7"));
        await session.AnswerAsync(await session.NextAsync<EnvelopeHead>(), 200, "");
        Assert.Equal(200, (await known).Status);
        var status = 401;
        var answering = session.AnswerAllAsync((_, _) => (Volatile.Read(ref status), ""));
        // Answers 401 for ever, from a known network: it is never locked out.
        for (var i = 0; i < 12; i++)
            Assert.Equal(401, (await FromAsync("198.51.100.9")).Status);
        var slowed = 0;
        for (var i = 0; i < 12; i++)
            slowed += (await FromAsync("203.0.113.5")).Status == 429 ? 1 : 0;
        Assert.InRange(slowed, 1, 11);
        Volatile.Write(ref status, 200);
        Assert.Equal(200, (await FromAsync("198.51.100.9")).Status);
        await session.CutAsync();
        await answering;

        Task<Answer> FromAsync(string address) =>
            relay.PostAsync(plane.At("/inbound/a"), "{}", ("X-Forwarded-For", address));
    }

    private static async Task RefusedAsync(TestPlane plane, string code, PlaneAuthorization asked)
    {
        using var answer = await plane.PostAsync("/relay/v1/send", [], asked);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        var refusal = await answer.Content.ReadFromJsonAsync<HandshakeRefusal>();
        Assert.Equal(code, refusal!.Code);
        Assert.True(refusal.IsBy(plane.RelayKey, plane.Joined.Relay, asked));
    }

    private static async Task<string> JoinedAsync(RelayNode relay, JoinRelay join)
    {
        var answer = await relay.PostAsync(JoinRelay.Path, System.Text.Json.JsonSerializer.Serialize(join, Web));
        return answer.Status == 201 ? "201" : $"{answer.Status} {answer.String("code")}";
    }

    private static readonly System.Text.Json.JsonSerializerOptions Web = new(
        System.Text.Json.JsonSerializerDefaults.Web
    );

    private static async Task<Answer> AnsweredAsync(
        RelayNode relay,
        TestPlane plane,
        PlaneSession session,
        int status,
        string body,
        params string[][] headers
    )
    {
        var asked = relay.PostAsync(plane.At("/inbound/a"), "{}");
        await session.AnswerAsync(await session.NextAsync<EnvelopeHead>(), status, body, headers);
        return await asked;
    }

    /// <summary>Sends bytes as they are and reads: to the end if the request ends, otherwise the first part.</summary>
    private static async Task<string> ExchangeAsync(
        RelayNode relay,
        string target,
        string headers,
        string body,
        bool ends = true
    )
    {
        var url = new Uri(relay.Url);
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(url.Host, url.Port);
        var stream = client.GetStream();
        var bytes = Encoding.Latin1.GetBytes($"POST {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}");
        using var answer = new MemoryStream();
        try
        {
            await stream.WriteAsync(bytes);
            if (!ends)
            {
                var first = new byte[4096];
                return Encoding.Latin1.GetString(first, 0, await stream.ReadAsync(first));
            }
            client.Client.Shutdown(System.Net.Sockets.SocketShutdown.Send);
            await stream.CopyToAsync(answer).WaitAsync(TimeSpan.FromSeconds(30));
        }
        catch (IOException)
        {
            // The connection was closed while the rest was being sent.
        }
        return Encoding.Latin1.GetString(answer.ToArray());
    }

    /// <summary>Returns the whole answer to a request whose target is sent exactly as given.</summary>
    private static async Task<string> RawAsync(RelayNode relay, string target)
    {
        var url = new Uri(relay.Url);
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(url.Host, url.Port);
        var stream = client.GetStream();
        var request = $"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}";
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request));
        using var reader = new StreamReader(stream);
        var lines = (await reader.ReadToEndAsync()).Split('\n');
        return string.Join('\n', lines.Where(l => !l.StartsWith("Date:", StringComparison.Ordinal)));
    }
}
