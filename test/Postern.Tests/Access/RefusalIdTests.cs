using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Access;

/// <summary>
/// Every refused caller gets the id of the audit row that explains it. The id leads to a row, and tells a guesser no
/// more than the answer does.
/// </summary>
public sealed class RefusalIdTests : IAsyncLifetime
{
    private const string Secret = "a secret of the sender's, long enough";
    private const string Before = "the secret before it, long enough too";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private static string IdOf(Answer answer) =>
        answer.Header("X-Refusal-Id") ?? throw new InvalidOperationException($"No refusal id: {answer}");

    private async Task<JsonElement> RowAsync(string id, string? key = null)
    {
        var rows = (await _server.GetAsync("/api/v1/audit?id=" + id, key)).Json.GetProperty("data");
        return Assert.Single(rows.EnumerateArray());
    }

    private async Task<List<JsonElement>> RowsAsync(string query) =>
        [.. (await _server.GetAsync("/api/v1/audit?" + query)).Json.GetProperty("data").EnumerateArray()];

    private static string Of(JsonElement row, string member) => row.GetProperty(member).GetString() ?? "";

    [Fact]
    public async Task Every_kind_of_refusal_leads_to_its_row()
    {
        await _server.StartSessionAsync("s");
        var narrow = await _server.KeyAsync("read:runs");
        var person = await _server.KeyAsync("read:sessions");
        (Func<Task<Answer>> Ask, int Status, string Action, string Reason)[] refusals =
        [
            (() => _server.SendAsync(HttpMethod.Get, "/api/v1/runs"), 401, "credential.refused", "missing"),
            (() => _server.GetAsync("/api/v1/runs", "pst_live_x"), 401, "credential.refused", "mistyped_key"),
            (
                () => _server.GetAsync("/api/v1/runs", ApiKey.Generate("live", "key_" + new string('0', 26)).Text),
                401,
                "credential.refused",
                "unknown_key"
            ),
            (() => _server.GetAsync("/api/v1/runs", "a.b.c"), 401, "credential.refused", "malformed"),
            (() => _server.GetAsync("/api/v1/keys", narrow), 403, "scope.refused", "admin"),
            (() => _server.PostAsync("/sessions/s/kill", null, person), 403, "scope.refused", "admin"),
            (
                () => _server.PostAsync("/api/v1/projects", new { name = "x" }, narrow),
                403,
                "scope.refused",
                "root_key_required"
            ),
            (() => _server.PostAsync("/api/v1/callback-secrets", null, ""), 401, "credential.refused", "missing"),
            (
                () => _server.PostAsync("/internal/jobs/run_x/status", new { }, "", ("X-Callback-Secret", "nope")),
                401,
                "credential.refused",
                "wrong_secret"
            ),
            (
                () => _server.SendAsync(HttpMethod.Get, "/console/runs", null, null, ("Cookie", "postern_console=x")),
                401,
                "credential.refused",
                "no_session"
            ),
        ];
        foreach (var (ask, status, action, reason) in refusals)
        {
            // Within a minute, equal answers have one id.
            _server.Clock.Advance(TimeSpan.FromSeconds(70));
            var answer = await ask();
            Assert.True(answer.Status == status, $"{reason}: {answer}");
            var row = await RowAsync(IdOf(answer));
            Assert.Equal((action, 1), (Of(row, "action"), row.GetProperty("times").GetInt64()));
            Assert.Contains(reason, Of(row, "reason"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_request_over_a_rate_has_a_row_and_an_id()
    {
        await using var server = await TestServer.StartAsync(set: o =>
        {
            (o.RateLimits.FailuresPerMinute, o.Operators.TrustedProxies) = (1, ["127.0.0.0/8"]);
            (o.RateLimits.TokenBurst, o.RateLimits.TokenPerSecond) = (1, 1);
        });
        var from = ("X-Forwarded-For", "203.0.113.9");
        await server.GetAsync("/api/v1/runs", "wrong", from);
        var stranger = await server.GetAsync("/api/v1/runs", "wrong", from);
        var token = await server.TokenAsync("read:runs");
        await server.GetAsync("/api/v1/runs", token);
        var client = await server.GetAsync("/api/v1/runs", token);
        foreach (var (answer, reason) in (new[] { (stranger, "too_many_failures"), (client, "rate_limited") }))
        {
            Assert.Equal(429, answer.Status);
            var row = (await server.GetAsync("/api/v1/audit?id=" + IdOf(answer))).Json.GetProperty("data")[0];
            Assert.Equal(("rate.refused", reason), (Of(row, "action"), Of(row, "reason")));
        }
    }

    [Fact]
    public async Task Equal_refusals_within_a_minute_are_one_row_with_one_id()
    {
        var first = IdOf(await _server.GetAsync("/api/v1/runs/1", "pst_live_wrong"));
        Assert.Equal(first, IdOf(await _server.GetAsync("/api/v1/runs/2", "pst_live_wrong")));
        _server.Clock.Advance(TimeSpan.FromSeconds(70));
        await WaitFor.TrueAsync(async () => (await RowAsync(first)).GetProperty("times").GetInt64() == 2);
        Assert.NotEqual(first, IdOf(await _server.GetAsync("/api/v1/runs/3", "pst_live_wrong")));
    }

    [Fact]
    public async Task An_id_tells_a_key_that_was_good_once_from_a_made_up_one_to_nobody_but_the_administrator()
    {
        var (id, key) = await _server.NamedKeyAsync("gone", "read:runs");
        await _server.SendAsync(HttpMethod.Delete, "/api/v1/keys/" + id, _server.RootKey);
        var (expired, late) = await _server.NamedKeyAsync("late", "read:runs");
        await _server.SendAsync(
            HttpMethod.Patch,
            "/api/v1/keys/" + expired,
            _server.RootKey,
            new { expiresAt = _server.Clock.GetUtcNow().AddSeconds(5) }
        );
        _server.Clock.Advance(TimeSpan.FromSeconds(10));
        var (turned, old) = await _server.NamedKeyAsync("turned", "read:runs");
        await _server.PostAsync($"/api/v1/keys/{turned}/rotate", new { overlapSeconds = 0 });
        var madeUp = ApiKey.Generate("live", id).Text;

        Answer[] answers =
        [
            await _server.GetAsync("/api/v1/runs", madeUp),
            await _server.GetAsync("/api/v1/runs", key),
            await _server.GetAsync("/api/v1/runs", late),
            await _server.GetAsync("/api/v1/runs", old),
            await _server.GetAsync("/api/v1/runs", "pst_live_x"),
        ];
        Assert.Single(answers.Select(a => (a.Text, HeadersOf(a), IdOf(a))).Distinct());
        foreach (
            var (reason, actor) in ((string, string)[])
                [("revoked_key", id), ("expired_key", expired), ("rotated_key", turned)]
        )
            Assert.Equal(actor, Of(Assert.Single(await RowsAsync("reason=" + reason)), "actor"));
        // Named only when its own text was presented.
        Assert.Equal("", Of(Assert.Single(await RowsAsync("reason=unknown_key")), "actor"));
        Assert.Equal(
            "revoked_key",
            Of(Assert.Single(await RowsAsync($"actor={id}&action=credential.refused")), "reason")
        );
    }

    [Fact]
    public async Task A_triggers_refusals_say_why_to_its_owner_and_nothing_to_the_sender()
    {
        await TriggerAsync("t", Before);
        await TriggerAsync("t", Secret);
        var now = _server.Database.Now / 1_000_000;
        (string Reason, Answer Answer)[] sent =
        [
            ("no_signature", await InAsync("t")),
            ("wrong_signature", await InAsync("t", Signed("guessed, and long enough for one", now))),
            ("retired_secret", await InAsync("t", Signed(Before, now))),
            ("signed_412_s_ago", await InAsync("t", Signed(Secret, now - 412))),
            ("signed_900_s_ahead", await InAsync("t", Signed(Secret, now + 900))),
            ("wrong_signature", await InAsync("t", Signed("guessed, and long enough for one", now - 412))),
            ("wrong_signature", await InAsync("t", $"t=soon,v1={new string('0', 64)}")),
        ];
        // The bytes, the headers and the id of all of them are the same.
        Assert.Single(
            sent.Select(s => (s.Answer.Status, s.Answer.Text, HeadersOf(s.Answer), IdOf(s.Answer))).Distinct()
        );
        Assert.Equal(401, sent[0].Answer.Status);
        _server.Clock.Advance(TimeSpan.FromSeconds(70));
        foreach (var reason in sent.Select(s => s.Reason).Distinct())
        {
            var count = sent.Count(s => s.Reason == reason);
            await WaitFor.TrueAsync(async () =>
                (await RowsAsync("trigger=user/ada/t&action=inbound.refused")).Exists(row =>
                    Coarse(Of(row, "reason")) == Coarse(reason)
                    && row.GetProperty("times").GetInt64() == count
                    && Of(row, "trigger") == "user/ada/t"
                )
            );
        }

        // A request may be slow: the age of its signature is counted at its arrival.
        static string Coarse(string reason) =>
            System.Text.RegularExpressions.Regex.Replace(reason, "_4[0-9][0-9]_s|_[89][0-9][0-9]_s", "_s");

        Assert.Equal(200, (await InAsync("t", Signed(Secret, _server.Database.Now / 1_000_000))).Status);
        // Neither a sender nor a reader of the trigger sees any of it.
        Assert.DoesNotContain(
            Before,
            (await _server.GetAsync("/api/triggers/user/ada/t")).Text,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Secrets_that_were_replaced_stay_known_as_such_and_open_nothing()
    {
        string[] all = [.. Enumerable.Range(0, 7).Select(n => $"secret number {n} of this sender")];
        foreach (var secret in all)
            await TriggerAsync("t", secret);
        foreach (var (secret, n) in all.Select((s, n) => (s, n)))
        {
            _server.Clock.Advance(TimeSpan.FromSeconds(70));
            var answer = await InAsync("t", Signed(secret, _server.Database.Now / 1_000_000));
            Assert.Equal(n == 6 ? 200 : 401, answer.Status);
            if (n < 6)
                Assert.Equal(n < 2 ? "wrong_signature" : "retired_secret", Of(await RowAsync(IdOf(answer)), "reason"));
        }
        // Another way of signing, or none, does not know them.
        await TriggerAsync("t", all[6], "github");
        _server.Clock.Advance(TimeSpan.FromSeconds(70));
        var other = await InAsync("t", Signed(all[5], _server.Database.Now / 1_000_000));
        Assert.Equal("no_signature", Of(await RowAsync(IdOf(other)), "reason"));
    }

    [Fact]
    public async Task A_paused_trigger_is_to_its_sender_as_if_there_were_none()
    {
        await TriggerAsync("t", Secret);
        await _server.SendAsync(HttpMethod.Put, "/api/triggers/user/ada/t", _server.RootKey, new { isActive = false });
        var paused = await InAsync("t", Signed(Secret, _server.Database.Now / 1_000_000));
        var missing = await InAsync("none", Signed(Secret, _server.Database.Now / 1_000_000));
        Assert.Equal((404, 404), (paused.Status, missing.Status));
        Assert.Equal((paused.Text, HeadersOf(paused)), (missing.Text, HeadersOf(missing)));
        Assert.Null(paused.Header("X-Refusal-Id"));
        await WaitFor.TrueAsync(async () =>
            (await RowsAsync("trigger=user/ada/t")) is [var row] && Of(row, "reason") == "paused"
        );
        Assert.Empty(await RowsAsync("trigger=user/ada/none"));
    }

    [Fact]
    public async Task A_missing_thing_and_one_that_is_not_for_the_caller_carry_no_id()
    {
        await _server.StartSessionAsync("s");
        var narrow = await _server.KeyAsync("read:sessions:other");
        var hidden = await _server.GetAsync("/api/v1/sessions/s", narrow);
        var missing = await _server.GetAsync("/api/v1/sessions/t", narrow);
        Assert.Equal((404, 404), (hidden.Status, missing.Status));
        Assert.Equal((null, null), (hidden.Header("X-Refusal-Id"), missing.Header("X-Refusal-Id")));
    }

    [Fact]
    public async Task A_row_of_another_project_is_not_found()
    {
        var other = (await _server.PostAsync("/api/v1/projects", new { name = "other" })).String("rootKey");
        await TriggerAsync("t", Secret);
        var inbound = IdOf(await InAsync("t"));
        var stranger = IdOf(await _server.GetAsync("/api/v1/runs", "wrong"));
        var scope = IdOf(await _server.GetAsync("/api/v1/keys", await _server.KeyAsync("read:runs")));
        foreach (var id in (string[])[inbound, stranger, scope])
        {
            await RowAsync(id);
            Assert.Empty(
                (await _server.GetAsync("/api/v1/audit?id=" + id, other)).Json.GetProperty("data").EnumerateArray()
            );
        }
        foreach (var query in (string[])["trigger=user/ada/t", "action=credential.refused", "address=127.0.0.1"])
            Assert.DoesNotContain(
                (await _server.GetAsync("/api/v1/audit?" + query, other)).Json.GetProperty("data").EnumerateArray(),
                row => Of(row, "id") == inbound || Of(row, "id") == stranger
            );
    }

    [Theory]
    [InlineData("id=aud_1")]
    [InlineData("id=run_01arz3ndektsv4rrffq69g5fav")]
    [InlineData("id=")]
    [InlineData("at=yesterday")]
    [InlineData("at=2026-01-01")]
    [InlineData("reason=a&reason=b")]
    [InlineData("address=%00")]
    [InlineData("actor=%EF%BF%BD")]
    public async Task A_filter_that_cannot_be_read_is_named(string query)
    {
        var answer = await _server.GetAsync("/api/v1/audit?" + query);
        Assert.Equal((400, "invalid_filter"), (answer.Status, answer.String("code")));
        Assert.StartsWith(query.Split('=')[0] + " ", answer.String("detail"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_the_database_takes_nothing_refusals_wait_and_are_written_later()
    {
        var database = (FaultyDatabase)null!;
        await using var server = await TestServer.StartAsync(wrap: inner => database = new FaultyDatabase(inner));
        database.FailAt(1, "wrong_secret");
        var refused = await server.PostAsync("/internal/jobs/r/status", new { }, "", ("X-Callback-Secret", "nope"));
        Assert.Equal(0, await FoundAsync());
        database.FailAt(0, "");
        Assert.Equal(1, await FoundAsync());

        async Task<int> FoundAsync() =>
            (await server.GetAsync("/api/v1/audit?id=" + IdOf(refused))).Json.GetProperty("data").GetArrayLength();
    }

    [Fact]
    public void However_many_kinds_come_few_are_kept_and_every_id_is_that_of_a_row()
    {
        var (counts, number) = (new RefusalCounts(), 0);
        var given = new HashSet<string>(StringComparer.Ordinal);
        var written = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < 10_000; i++)
        {
            var row = new AuditRow("-", "credential.refused", Address: "10.0.0." + i, Reason: "missing");
            given.Add(counts.Add(row, row, row, 0, () => "aud_" + number++).Id);
        }
        var times = 0L;
        for (var batch = counts.Take(1, all: false); batch.Count > 0; batch = counts.Take(1, all: false))
        {
            written.UnionWith(batch.Select(b => b.Refusal.Id));
            times += batch.Sum(b => b.Times);
            counts.Written(batch);
        }
        Assert.Equal((RefusalCounts.MaxDistinct + 1, 10_000), (given.Count, times));
        Assert.Subset(written, given);
        Assert.Empty(counts.Take(60_000_001, all: false));
        // They are forgotten, so there is room again.
        var other = new AuditRow("-", "credential.refused", Address: "10.1.0.0", Reason: "missing");
        Assert.Equal("aud_" + number, counts.Add(other, other, other, 60_000_001, () => "aud_" + number).Id);
    }

    private async Task TriggerAsync(string id, string secret, string scheme = "stripe")
    {
        var made = await _server.PostAsync(
            "/api/triggers/user/ada/" + id,
            new
            {
                agent = "echo",
                promptTemplate = "x",
                webhookAuth = new { scheme, secret },
            }
        );
        Assert.True(made.Status == 201, made.ToString());
    }

    private Task<Answer> InAsync(string id, string? signature = null) =>
        _server.SendAsync(
            HttpMethod.Post,
            "/inbound/user/ada/" + id,
            null,
            "{}",
            signature is null ? [] : [("Stripe-Signature", signature)]
        );

    private static string Signed(string secret, long seconds) =>
        $"t={seconds},v1="
        + Convert.ToHexStringLower(
            HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{seconds}.{{}}"))
        );

    private static string HeadersOf(Answer answer) =>
        string.Join(
            '\n',
            answer
                .HeaderLines.Where(h =>
                    !h.StartsWith("Date:", StringComparison.Ordinal)
                    && !h.StartsWith("X-Refusal-Id:", StringComparison.Ordinal)
                )
                .Order(StringComparer.Ordinal)
        );
}
