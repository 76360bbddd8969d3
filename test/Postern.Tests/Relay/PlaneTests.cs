using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Postern.Relay.Plane;
using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Tests.Relay;

/// <summary>A server that has joined a relay, with an honest relay and with a malicious one.</summary>
public sealed class PlaneTests : IAsyncLifetime
{
    private const string Secret = "a secret of github, of 24 characters";
    private TestServer _server = null!;
    private TestRelay _relay = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync(set: o =>
            (o.Relay.DangerousPlainHttp, o.Relay.Transport) = (true, "websocket")
        );
        _relay = await TestRelay.StartAsync();
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", _server.RootKey, new { kind = "pull" });
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _relay.DisposeAsync();
    }

    private async Task<TestRelayConnection> JoinAsync()
    {
        await _relay.JoinAsync(_server);
        return await _relay.ConnectionAsync();
    }

    private Task<Answer> TriggerAsync(string id, object auth) =>
        _server.PostAsync(
            "/api/triggers/user/u/" + id,
            new
            {
                agent = "idle",
                promptTemplate = "{{body}}",
                maxInFlight = 1000,
                webhookAuth = auth,
            }
        );

    private static RelayedRequest Request(string target, string body, params (string Name, string Value)[] headers) =>
        new(
            "POST",
            target,
            "203.0.113.7",
            [.. headers.Select(h => new[] { h.Name, h.Value }), ["Content-Type", "application/json"]],
            Encoding.UTF8.GetBytes(body)
        );

    private static (string, string) GitHub(string body) =>
        (
            "X-Hub-Signature-256",
            "sha256="
                + Convert.ToHexStringLower(
                    System.Security.Cryptography.HMACSHA256.HashData(
                        Encoding.UTF8.GetBytes(Secret),
                        Encoding.UTF8.GetBytes(body)
                    )
                )
        );

    private async Task<int> CapturesAsync(string id) =>
        (await _server.GetAsync($"/api/triggers/user/u/{id}/requests"))
            .Json.GetProperty("data")
            .GetProperty("requests")
            .GetArrayLength();

    private async Task<(int Status, string Text)> AskAsync(TestRelayConnection connection, RelayedRequest request)
    {
        var frame = _relay.Seal(request);
        await connection.SendAsync(frame);
        return await _relay.AnswerAsync(((EnvelopeHead)frame.Head).Id);
    }

    private async Task AuditedAsync(string action) =>
        await WaitFor.TrueAsync(
            async () =>
                (await _server.GetAsync("/api/v1/audit?limit=200")).Text.Contains(
                    $"\"{action}\"",
                    StringComparison.Ordinal
                ),
            what: action
        );

    [Fact]
    public async Task A_relayed_webhook_is_answered_as_a_direct_one_and_its_repeat_is_a_repeat()
    {
        await TriggerAsync("hook", new { scheme = "github", secret = Secret });
        var connection = await JoinAsync();
        var request = Request("/inbound/user/u/hook", "{\"a\":1}", GitHub("{\"a\":1}"));
        var (status, text) = await AskAsync(connection, request);
        Assert.True(status == 200 && text.Contains("captured successfully", StringComparison.Ordinal), text);
        // The same message in another envelope, and directly: one effect.
        var again = await AskAsync(connection, request);
        Assert.Contains("\"duplicate\":true", again.Text, StringComparison.Ordinal);
        var direct = await _server.SendAsync(
            HttpMethod.Post,
            "/inbound/user/u/hook",
            null,
            "{\"a\":1}",
            GitHub("{\"a\":1}")
        );
        Assert.Contains("\"duplicate\":true", direct.Text, StringComparison.Ordinal);
        Assert.Equal(1, await CapturesAsync("hook"));
        var capture = (await _server.GetAsync("/api/triggers/user/u/hook/requests")).Text;
        Assert.Contains("203.0.113.7 (says a relay)", capture, StringComparison.Ordinal);
        // The answer to a direct request, byte for byte.
        var wrong = await AskAsync(connection, Request("/inbound/user/u/hook", "{\"b\":1}", GitHub("{\"a\":1}")));
        var wrongDirect = await _server.SendAsync(
            HttpMethod.Post,
            "/inbound/user/u/hook",
            null,
            "{\"b\":1}",
            GitHub("{\"a\":1}")
        );
        Assert.Equal((wrongDirect.Status, wrongDirect.Text), wrong);
        Assert.Equal(401, wrong.Status);
    }

    [Fact]
    public async Task An_unsigned_trigger_starts_once_for_an_envelope_however_often_it_is_handed_over()
    {
        await TriggerAsync("open", null!);
        var connection = await JoinAsync();
        var frame = _relay.Seal(Request("/inbound/user/u/open", "{}"));
        var id = ((EnvelopeHead)frame.Head).Id;
        for (var i = 1; i <= 3; i++)
        {
            await connection.SendAsync(frame);
            await WaitFor.TrueAsync(() => Task.FromResult(_relay.CountAnswers(id) >= i));
        }
        Assert.Equal(200, (await _relay.AnswerAsync(id)).Status);
        Assert.Equal(1, await CapturesAsync("open"));
        // It is settled, and a relay that has forgotten sends it again: still one effect.
        await connection.SettleAsync(id);
        await connection.SendAsync(frame);
        await WaitFor.TrueAsync(() => Task.FromResult(_relay.CountAnswers(id) >= 4));
        Assert.Equal((1, 200), (await CapturesAsync("open"), (await _relay.AnswerAsync(id)).Status));
    }

    [Fact]
    public async Task Only_listed_doors_are_reached_whatever_the_request_carries()
    {
        await TriggerAsync("bearer", new { header = "X-Token", secret = "a bearer secret" });
        await TriggerAsync("hook", new { scheme = "github", secret = Secret });
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/approval-services/default",
            _server.RootKey,
            new { secrets = new[] { "a secret of a service, of 24" } }
        );
        var connection = await JoinAsync();
        await WaitFor.TrueAsync(() => Task.FromResult(_relay.Doors.Count > 0));
        Assert.Contains(_relay.Doors, d => d.Path == "/inbound/user/u/hook" && d is { WaitMs: 8000, Signed: true });
        Assert.Contains(_relay.Doors, d => d.Path == "/api/v1/webhooks/approval-response");
        Assert.Contains(_relay.Doors, d => d.Path == "/api/v1/runs/*/status");
        Assert.DoesNotContain(_relay.Doors, d => d.Path.Contains("bearer", StringComparison.Ordinal));
        var view = (await _server.GetAsync("/api/triggers/user/u/bearer")).Json.GetProperty("data");
        Assert.False(view.GetProperty("relayed").GetBoolean());
        Assert.Contains("header", view.GetProperty("notRelayed").GetString(), StringComparison.Ordinal);
        var rows = await _server.CountRowsAsync();
        foreach (var door in _server.Doors.Table.Where(d => d.RelayedAs is null))
        {
            var target = System.Text.RegularExpressions.Regex.Replace(door.Path, @"\{\**\w+\}", "default");
            foreach (
                var credential in (string[][])
                    [
                        ["Authorization", "Bearer " + _server.RootKey],
                        ["X-API-Key", _server.RootKey],
                    ]
            )
            {
                var request = Request(target, "{}") with { Method = door.Method, Headers = [credential] };
                var (status, text) = await AskAsync(connection, request);
                Assert.True(status == 404, $"{door.Method} {target}: {status} {text}");
            }
        }
        var hidden = await AskAsync(
            connection,
            Request("/inbound/user/u/bearer", "{}", ("X-Token", "a bearer secret"))
        );
        Assert.Equal(404, hidden.Status);
        Assert.Equal(rows, await _server.CountRowsAsync());
        // A key opens a callback route directly, but never through a relay.
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "idle" })).String("id");
        var byKey = await AskAsync(
            connection,
            Request($"/api/v1/runs/{run}/status", "{\"status\":\"running\"}", ("X-API-Key", _server.RootKey))
        );
        Assert.Equal(400, byKey.Status);
        Assert.Contains("credential_not_relayed", byKey.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_trigger_is_open_at_the_relay_within_a_second()
    {
        await JoinAsync();
        await WaitFor.TrueAsync(() => Task.FromResult(_relay.Doors.Count > 0));
        await TriggerAsync("late", new { scheme = "github", secret = Secret });
        var since = System.Diagnostics.Stopwatch.StartNew();
        await WaitFor.TrueAsync(() => Task.FromResult(_relay.Doors.Any(d => d.Path == "/inbound/user/u/late")));
        Assert.True(since.Elapsed < TimeSpan.FromSeconds(5), since.Elapsed.ToString());
        await _server.SendAsync(HttpMethod.Delete, "/api/triggers/user/u/late", _server.RootKey);
        await WaitFor.TrueAsync(() => Task.FromResult(_relay.Doors.All(d => d.Path != "/inbound/user/u/late")));
    }

    [Fact]
    public async Task An_answer_is_kept_until_it_is_settled_and_sent_again_after_a_reconnect()
    {
        await TriggerAsync("hook", new { scheme = "github", secret = Secret });
        var connection = await JoinAsync();
        var frame = _relay.Seal(Request("/inbound/user/u/hook", "{}", GitHub("{}")));
        var id = ((EnvelopeHead)frame.Head).Id;
        await connection.SendAsync(frame);
        await _relay.AnswerAsync(id);
        connection.Cut();
        var next = await _relay.ConnectionAsync();
        await WaitFor.TrueAsync(() => Task.FromResult(_relay.CountAnswers(id) >= 2));
        await next.SettleAsync(id);
        await WaitFor.TrueAsync(async () =>
            (await _server.App.Services.GetRequiredService<EnvelopeStore>().UnsettledAsync(_relay.Relay, 0)).Count == 0
        );
    }

    [Fact]
    public async Task A_full_trigger_holds_its_lane_and_passes_later_while_others_go_on()
    {
        await _server.PostAsync(
            "/api/triggers/user/u/narrow",
            new
            {
                agent = "idle",
                promptTemplate = "{{body}}",
                maxInFlight = 1,
            }
        );
        await TriggerAsync("wide", new { scheme = "github", secret = Secret });
        var connection = await JoinAsync();
        Assert.Equal(200, (await AskAsync(connection, Request("/inbound/user/u/narrow", "{}"))).Status);
        var held = _relay.Seal(Request("/inbound/user/u/narrow", "{\"second\":1}"));
        await connection.SendAsync(held);
        Assert.Equal(200, (await AskAsync(connection, Request("/inbound/user/u/wide", "{}", GitHub("{}")))).Status);
        Assert.Equal(0, _relay.CountAnswers(((EnvelopeHead)held.Head).Id));
        var run = (await _server.GetAsync("/api/v1/runs")).Json.GetProperty("data");
        foreach (var one in run.EnumerateArray())
            await _server.PostAsync($"/api/v1/runs/{one.GetProperty("id").GetString()}/cancel", new { });
        Assert.Equal(200, (await _relay.AnswerAsync(((EnvelopeHead)held.Head).Id)).Status);
    }

    public static TheoryData<string> Forgeries() =>
        ["other key", "other nonce", "other plane", "other relay", "no ready", "zero numbers"];

    [Theory]
    [MemberData(nameof(Forgeries))]
    public async Task A_ready_that_is_forged_is_refused(string how)
    {
        using var other = P256Key.Make();
        if (how == "other key")
            _relay.Signer = other;
        _relay.Ready = r =>
            how switch
            {
                "other nonce" => r with { Nonce = PlaneAuthorization.NewNonce() },
                "other plane" => r with { Plane = "pln_other" },
                "other relay" => r with { Relay = "rly_other" },
                "zero numbers" => r with { Open = new OpenNumbers(0, 0) },
                _ => r,
            };
        if (how == "no ready")
            _relay.Instead = new PingHead(1, _relay.Now);
        await _relay.JoinAsync(_server);
        await AuditedAsync("relay_refused");
        // With the right key it connects: a forger cannot make the plane give up for good.
        (_relay.Signer, _relay.Ready, _relay.Instead) = (null, r => r, null);
        await _relay.ConnectionAsync();
    }

    public static TheoryData<string, string> Malice() =>
        new()
        {
            { "the same id and number with other content", "relay_altered" },
            { "the same number under another id", "relay_altered" },
            { "the same seal under another id", "relay_altered" },
            { "another lane", "relay_altered" },
            { "another plane", "relay_altered" },
            { "before this server joined", "relay_backdated" },
            { "in the future", "relay_backdated" },
            { "older than anything that is kept", "relay_backdated" },
            { "signed by somebody else", "relay_refused" },
            { "settled by somebody else", "relay_refused" },
            { "revoked by somebody else", "relay_refused" },
        };

    [Theory]
    [MemberData(nameof(Malice))]
    public async Task Envelopes_that_a_relay_alters_dates_back_or_forges_are_refused_and_audited(
        string how,
        string action
    )
    {
        using var other = P256Key.Make();
        await TriggerAsync("open", null!);
        var connection = await JoinAsync();
        var honest = _relay.Seal(Request("/inbound/user/u/open", "{}"));
        await connection.SendAsync(honest);
        var head = (EnvelopeHead)honest.Head;
        await _relay.AnswerAsync(head.Id);
        await connection.SendAsync(
            how switch
            {
                "the same id and number with other content" => Sealed(h => h with { Id = head.Id, Seq = head.Seq }),
                "the same number under another id" => Sealed(h => h with { Seq = head.Seq }),
                "the same seal under another id" => _relay.Encode(
                    new Frame(head with { Id = "env_other", Seq = 99 }, honest.Body)
                ),
                "another lane" => Sealed(h => h with { Lane = new('0', 16) }),
                "another plane" => Sealed(h => h with { Plane = "pln_other" }),
                "before this server joined" => Sealed(h => h with { ReceivedAt = h.ReceivedAt - 3_600_000 }),
                "in the future" => Sealed(h => h with { ReceivedAt = h.ReceivedAt + 3_600_000 }),
                "older than anything that is kept" => Sealed(h => h with { ReceivedAt = 1_000_000 }),
                "settled by somebody else" => Forged(new Frame(new SettledHead([head.Id]))),
                "revoked by somebody else" => Forged(new Frame(new ByeHead(ByeHead.Revoked))),
                _ => Forged(_relay.Seal(Request("/inbound/user/u/open", "{\"x\":1}"))),
            }
        );
        Assert.Equal(CloseCode.Protocol, await connection.Ended);
        await AuditedAsync(action);
        // It is still joined and connects again; the forged refusal had no effect.
        await _relay.ConnectionAsync();
        Assert.Equal(1, await CapturesAsync("open"));
        var standing = (await _server.GetAsync("/api/v1/relay")).Json.GetProperty("data")[0];
        Assert.Equal("joined", standing.GetProperty("standing").GetString());
        await WaitFor.TrueAsync(() => Task.FromResult(_relay.CountAnswers(head.Id) >= 2));

        byte[] Sealed(Func<EnvelopeHead, EnvelopeHead> change) =>
            _relay.Encode(_relay.Seal(Request("/inbound/user/u/open", "{\"x\":1}"), change));

        byte[] Forged(Frame frame) => frame.Encode(other, RelaySignature.ToPlane);
    }

    [Fact]
    public async Task Missing_and_disordered_envelopes_are_reported()
    {
        await TriggerAsync("open", null!);
        var connection = await JoinAsync();
        var (first, second) = (
            _relay.Seal(Request("/inbound/user/u/open", "{\"n\":1}")),
            _relay.Seal(Request("/inbound/user/u/open", "{\"n\":2}"))
        );
        await connection.SendAsync(second);
        await _relay.AnswerAsync(((EnvelopeHead)second.Head).Id);
        await connection.SendAsync(first);
        await _relay.AnswerAsync(((EnvelopeHead)first.Head).Id);
        await AuditedAsync("relay_disorder");
        // Numbers 3 and 4 are closed at the relay, and it reported only one of them as gone.
        await connection.SendAsync(new GoneHead("env_three", 3, GoneHead.Expired));
        await AuditedAsync("relay.envelope_gone");
        _relay.First = 5;
        connection.Cut();
        await _relay.ConnectionAsync();
        await AuditedAsync("relay_gap");
        var events = (await _server.GetAsync("/api/v1/events?limit=200")).Text;
        Assert.Contains("relay.gap", events, StringComparison.Ordinal);
        Assert.Contains("relay.connected", events, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_backlog_at_the_relay_is_shown_and_reported_once_when_nearly_full()
    {
        var connection = await JoinAsync();
        var quota = new BacklogQuota(100, 1_000_000);
        foreach (var (count, bytes) in ((long, long)[])[(79, 10), (10, 810_000), (90, 10), (70, 10), (95, 10)])
            await connection.SendAsync(new PingHead(1, _relay.Now, new BacklogSize(count, bytes, _relay.Now), quota));
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/relay")).Text.Contains("\"percent\":95", StringComparison.Ordinal)
        );
        Assert.Equal(1, await ToldAsync());
        // Below 60 % in between, so it is reported again.
        foreach (var count in (long[])[50, 80])
            await connection.SendAsync(new PingHead(2, _relay.Now, new BacklogSize(count, 10), quota));
        await WaitFor.TrueAsync(async () => await ToldAsync() == 2);

        async Task<int> ToldAsync() =>
            (await _server.GetAsync("/api/v1/events?limit=200"))
                .Json.GetProperty("data")
                .EnumerateArray()
                .Count(e => e.GetProperty("type").GetString() == "relay.backlog");
    }

    [Fact]
    public async Task A_refusal_counts_only_when_the_pinned_key_signed_it()
    {
        using var other = P256Key.Make();
        var key = other;
        var code = HandshakeRefusal.Revoked;
        _relay.Refuse = proven =>
            Results.Json(
                HandshakeRefusal.Make(key, _relay.Relay, proven, code, _relay.Now),
                FrameHead.Json,
                statusCode: 401
            );
        await _relay.JoinAsync(_server);
        await ConnectionIsAsync("failedAt", "401");
        Assert.Equal("joined", await StandingAsync());
        key = _relay.Key;
        await ConnectionIsAsync("failedAt", "revoked");
        await WaitFor.TrueAsync(async () => await StandingAsync() == "revoked");

        async Task<string?> StandingAsync() =>
            (await _server.GetAsync("/api/v1/relay")).Json.GetProperty("data")[0].GetProperty("standing").GetString();
    }

    private Task ConnectionIsAsync(string member, string value) =>
        WaitFor.TrueAsync(
            async () =>
                (await _server.GetAsync("/api/v1/relay")).Json.GetProperty("data")[0].GetProperty("connection") is var c
                && c.TryGetProperty(member, out var said)
                && said.ToString() == value,
            what: $"{member} {value}"
        );

    [Fact]
    public async Task A_network_without_websockets_is_served_by_requests()
    {
        await using var server = await TestServer.StartAsync(set: o => o.Relay.DangerousPlainHttp = true);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        await server.PostAsync("/api/triggers/user/u/open", new { agent = "idle", promptTemplate = "{{body}}" });
        _relay.NoUpgrade = true;
        await _relay.JoinAsync(server);
        var connection = await _relay.ConnectionAsync();
        Assert.Equal(200, (await AskAsync(connection, Request("/inbound/user/u/open", "{}"))).Status);
        await WaitFor.TrueAsync(() => Task.FromResult(_relay.Doors.Any(d => d.Path == "/inbound/user/u/open")));
        var view = (await server.GetAsync("/api/v1/relay")).Json.GetProperty("data")[0].GetProperty("connection");
        Assert.Equal("poll", view.GetProperty("transport").GetString());
    }

    [Fact]
    public async Task A_relay_whose_clock_is_an_hour_ahead_is_served_all_the_same()
    {
        _relay.ClockOff = TimeSpan.FromHours(1);
        await TriggerAsync("open", null!);
        var connection = await JoinAsync();
        Assert.Equal(200, (await AskAsync(connection, Request("/inbound/user/u/open", "{}"))).Status);
    }

    /// <summary>A relay could write headers of a connection, or of a proxy, into an envelope.</summary>
    [Fact]
    public async Task Headers_of_a_connection_that_a_relay_makes_up_change_nothing()
    {
        await TriggerAsync("hook", new { scheme = "github", secret = Secret });
        var connection = await JoinAsync();
        (string, string)[] made =
        [
            ("Content-Length", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Expect", "100-continue"),
            ("Host", "127.0.0.1"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("Forwarded", "for=127.0.0.1"),
            ("Cookie", "postern_console=x"),
            ("Proxy-Authorization", "x"),
            ("Postern-Envelope", "env_other"),
        ];
        var (status, text) = await AskAsync(
            connection,
            Request("/inbound/user/u/hook", "{\"whole\":1}", [GitHub("{\"whole\":1}"), .. made])
        );
        Assert.True(status == 200, text);
        var capture = (await _server.GetAsync("/api/triggers/user/u/hook/requests")).Text;
        Assert.Contains("203.0.113.7 (says a relay)", capture, StringComparison.Ordinal);
        Assert.DoesNotContain("env_other", capture, StringComparison.Ordinal);
        // What no request is ends the connection: it could become two where it is put together.
        await connection.SendAsync(
            _relay.Seal(
                Request("/inbound/user/u/hook", "{}") with
                {
                    Headers =
                    [
                        ["X-Two", "a\r\nX-Hub: b"],
                    ],
                }
            )
        );
        Assert.Equal(CloseCode.Protocol, await connection.Ended);
        await AuditedAsync("relay_altered");
    }

    /// <summary>
    /// The age of a delayed or recorded message is measured at the time at which the relay says that it received it. A
    /// relay may say any time: a message that this server may have forgotten is stale in any case.
    /// </summary>
    [Theory]
    [InlineData("lies about its time")]
    [InlineData("says that it keeps requests for a month")]
    public async Task No_relay_makes_an_old_message_fresh_that(string how)
    {
        await TriggerAsync("stripe", new { scheme = "stripe", secret = "whsec_stripes_are_texts" });
        await _relay.JoinAsync(_server);
        var connection = await _relay.ConnectionAsync();
        Assert.Equal(200, (await AskAsync(connection, Stripe(_relay.Now, 1))).Status);
        var old = TimeSpan.FromDays(20);
        if (how == "lies about its time")
            _relay.ClockOff = -old;
        else
        {
            _relay.Ready = r => r with { MaxAgeSeconds = 30 * 86_400 };
            // It joined long ago and has forgotten what came then. Under another name the relay's requests are read
            // again.
            await _server.Database.WriteAsync(tx =>
                tx.ExecuteAsync(
                    "UPDATE joined_relay SET joined_at = $1, server = REPLACE(server, '127.0.0.1', 'localhost')",
                    tx.Now - (long)(old * 2).TotalMicroseconds
                )
            );
            var keeper = _server.App.Services.GetRequiredService<PlaneKeeper>();
            await WaitFor.TrueAsync(() =>
                Task.FromResult(keeper.Links.Any(l => l.Plane.Server.Contains("localhost", StringComparison.Ordinal)))
            );
        }
        await WaitFor.TrueAsync(async () =>
        {
            connection.Cut();
            connection = await _relay.ConnectionAsync();
            return (await AskAsync(connection, Stripe(_relay.Now, 1))).Status is 200 or 401;
        });
        var received = (DateTimeOffset.UtcNow - old).ToUnixTimeMilliseconds();
        var frame = _relay.Seal(Stripe(received, 2), h => h with { ReceivedAt = received });
        await connection.SendAsync(frame);
        Assert.Equal(401, (await _relay.AnswerAsync(((EnvelopeHead)frame.Head).Id)).Status);
        Assert.Equal(1, await CapturesAsync("stripe"));

        static RelayedRequest Stripe(long at, int n)
        {
            var (seconds, body) = (at / 1000, $"{{\"id\":\"evt_{n}\"}}");
            var signed = Asking.Hex("whsec_stripes_are_texts", $"{seconds}.{body}");
            return Request("/inbound/user/u/stripe", body, ("Stripe-Signature", $"t={seconds},v1={signed}"));
        }
    }

    [Fact]
    public async Task Joining_pins_the_key_that_the_code_names_and_the_same_code_again_does_nothing()
    {
        using var other = P256Key.Make();
        _relay.Joined = j => j with { Key = other.Public.Text };
        var refused = await Assert.ThrowsAsync<RelayRefusedException>(() => _relay.JoinAsync(_server));
        Assert.Equal("key", refused.Step);
        _relay.Joined = j => j with { Plane = "pln_swapped" };
        Assert.Equal("key", (await Assert.ThrowsAsync<RelayRefusedException>(() => _relay.JoinAsync(_server))).Step);
        Assert.Equal(0, (await _server.GetAsync("/api/v1/relay")).Json.GetProperty("data").GetArrayLength());
        _relay.Joined = j => j;
        var joined = await _relay.JoinAsync(_server);
        Assert.Equal(joined.Sign.Public.Text, (await _relay.JoinAsync(_server)).Sign.Public.Text);
        // Private keys are in the database only encrypted with the master key.
        var dump = await _server.DumpAsync("joined_relay");
        Assert.DoesNotContain(joined.Sign.ToSecretText(), dump, StringComparison.Ordinal);
        Assert.DoesNotContain(
            Convert.ToHexString(System.Buffers.Text.Base64Url.DecodeFromChars(joined.Sign.ToSecretText())),
            dump,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Only_an_administrator_of_the_default_project_sees_the_relays()
    {
        await JoinAsync();
        var other = await _server.PostAsync("/api/v1/projects", new { name = "other" });
        Assert.Equal(403, (await _server.GetAsync("/api/v1/relay", other.String("rootKey"))).Status);
        Assert.Equal(403, (await _server.GetAsync("/api/v1/relay", await _server.KeyAsync("read:runs"))).Status);
        var view = await _server.GetAsync("/api/v1/relay");
        Assert.Equal(_relay.Relay, view.Json.GetProperty("data")[0].GetProperty("relay").GetString());
        Assert.DoesNotContain(_relay.Code.Secret, view.Text, StringComparison.Ordinal);
    }
}
