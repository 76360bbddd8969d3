using Postern.Relay.Protocol;
using Postern.Relay.Server;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Sealed questions at a relay: planes send them, strangers ask for them. A relay cannot read them, so they are any
/// bytes here.
/// </summary>
public sealed class PageRelayContract
{
    private static readonly string Page = new('A', PageLink.PageLength);

    private static string Named(int number) => number.ToString().PadLeft(PageLink.PageLength - 1, 'B') + "A";

    /// <summary>In microseconds.</summary>
    private const long Hour = 3_600_000_000;

    private static long Later => TimeProvider.System.GetLocalNow().AddHours(1).ToUnixTimeMilliseconds();

    private static async Task<long> PutAsync(PlaneSession session, string page, long version, byte[] text)
    {
        await session.SendAsync(new PageHead(page, version, Later), text);
        return ((KeptHead)(await session.NextAsync<KeptHead>(k => k.What == page)).Head).Version;
    }

    private static async Task<long> EndAsync(PlaneSession session, string page, long version, byte[] text)
    {
        await session.SendAsync(new PageEndHead(page, version), text);
        return ((KeptHead)(await session.NextAsync<KeptHead>(k => k.What == page)).Head).Version;
    }

    private static Task<Answer> GetAsync(RelayNode relay, string plane, string page) =>
        relay.SendAsync(HttpMethod.Get, $"/relay/v1/pages/{plane}/{page}");

    private static object Body => new { nonce = Page, @sealed = "AAAA" };

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Unknown_foreign_and_revoked_look_alike(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        using var other = await relay.JoinAsync(new { name = "other" });
        await using var session = await plane.ConnectAsync();
        Assert.Equal(1, await PutAsync(session, Page, 1, [1, 2, 3]));
        var there = await GetAsync(relay, plane.Id, Page);
        Assert.Equal((200, "AQID"), (there.Status, there.String("sealed")));
        Assert.Equal("*", there.Header("Access-Control-Allow-Origin"));
        Assert.Null(there.Header("Access-Control-Allow-Credentials"));
        Assert.Equal("no-store", there.Header("Cache-Control"));
        var nowhere = await GetAsync(relay, "pln_" + new string('0', 26), Page);
        Assert.Equal(404, nowhere.Status);
        foreach (
            var (of, page) in new[]
            {
                (plane.Id, Named(1)),
                (other.Id, Page),
                (plane.Id, "short"),
                (plane.Id, Page + "A"),
                (plane.Id, Page[..^1] + "*"),
            }
        )
        {
            var missing = await GetAsync(relay, of, page);
            Assert.Equal((404, nowhere.Text), (missing.Status, missing.Text));
            var unanswered = await relay.PostAsync($"/relay/v1/pages/{of}/{page}/answers", Body);
            Assert.Equal((404, nowhere.Text), (unanswered.Status, unanswered.Text));
        }
        // The same name at another plane is another question, and ending it ends only that one.
        await using (var foreign = await other.ConnectAsync())
        {
            Assert.Equal(7, await PutAsync(foreign, Page, 7, [9]));
            Assert.Equal(8, await EndAsync(foreign, Page, 8, []));
        }
        Assert.Equal("AQID", (await GetAsync(relay, plane.Id, Page)).String("sealed"));
        Assert.Equal(204, (await relay.AdminAsync(HttpMethod.Delete, "/relay/v1/planes/" + plane.Id)).Status);
        var revoked = await GetAsync(relay, plane.Id, Page);
        Assert.Equal((404, nowhere.Text), (revoked.Status, revoked.Text));
        Assert.Equal(0, await relay.CountAsync("relay_page"));
        Assert.Equal(0, await relay.CountAsync("relay_request"));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_lower_version_changes_nothing_and_an_end_stays(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync();
        Assert.Equal(2, await PutAsync(session, Page, 2, [2]));
        Assert.Equal(2, await PutAsync(session, Page, 1, [1]));
        Assert.Equal(2, await PutAsync(session, Page, 2, [9]));
        Assert.Equal("Ag", (await GetAsync(relay, plane.Id, Page)).String("sealed"));
        Assert.Equal(3, await PutAsync(session, Page, 3, [3]));
        Assert.Equal(3, await EndAsync(session, Page, 3, [9]));
        Assert.False((await GetAsync(relay, plane.Id, Page)).Json.GetProperty("ended").GetBoolean());
        Assert.Equal(4, await EndAsync(session, Page, 4, [4]));
        Assert.Equal(4, await PutAsync(session, Page, 3, [3]));
        var ended = await GetAsync(relay, plane.Id, Page);
        Assert.True(ended.Json.GetProperty("ended").GetBoolean());
        Assert.Equal(("BA", 4), (ended.String("sealed"), ended.Json.GetProperty("version").GetInt64()));
        var late = await relay.PostAsync($"/relay/v1/pages/{plane.Id}/{Page}/answers", Body);
        Assert.Equal((410, "page_ended"), (late.Status, late.String("code")));
        Assert.Equal(0, await relay.CountAsync("relay_request"));
        // Ended without a text, nothing is kept. Ended before it came, the text is kept.
        Assert.Equal(1, await PutAsync(session, Named(1), 1, [1]));
        Assert.Equal(2, await EndAsync(session, Named(1), 2, []));
        Assert.Equal(404, (await GetAsync(relay, plane.Id, Named(1))).Status);
        Assert.Equal(2, await EndAsync(session, Named(2), 2, [7]));
        Assert.Equal(2, await PutAsync(session, Named(2), 1, [1]));
        Assert.Equal("Bw", (await GetAsync(relay, plane.Id, Named(2))).String("sealed"));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_plane_has_its_room_to_the_byte_and_to_the_question(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync();
        Assert.Equal(1, await PutAsync(session, Page, 1, new byte[RelayLimits.Page]));
        await SetAsync(relay, "bytes", RelayLimits.PageBytes - 1000);
        Assert.Equal(0, await PutAsync(session, Named(1), 1, new byte[1001]));
        Assert.Equal(404, (await GetAsync(relay, plane.Id, Named(1))).Status);
        Assert.Equal(1, await PutAsync(session, Named(1), 1, new byte[1000]));
        Assert.Equal(0, await PutAsync(session, Named(2), 1, new byte[1]));
        // A newer version takes the room of the older one. A question that has ended gives its room back.
        Assert.Equal(0, await PutAsync(session, Named(1), 2, new byte[1001]));
        Assert.Equal(2, await PutAsync(session, Named(1), 2, new byte[999]));
        Assert.Equal(1, await PutAsync(session, Named(2), 1, new byte[1]));
        Assert.Equal(2, await EndAsync(session, Page, 2, [1]));
        Assert.Equal(1, await PutAsync(session, Named(3), 1, new byte[RelayLimits.Page]));
        Assert.Equal(0, await PutAsync(session, Named(4), 1, new byte[1]));
        await SetAsync(relay, "bytes", 0);
        await SetAsync(relay, "pages", RelayLimits.Pages - 1);
        Assert.Equal(1, await PutAsync(session, Named(4), 1, new byte[1]));
        Assert.Equal(0, await PutAsync(session, Named(5), 1, new byte[1]));
        // Of the ended ones, the oldest is removed.
        await SetAsync(relay, "ended", PageStore.MostEnded);
        Assert.Equal(2, await EndAsync(session, Named(4), 2, [1]));
        Assert.Equal(404, (await GetAsync(relay, plane.Id, Page)).Status);
        Assert.Equal(200, (await GetAsync(relay, plane.Id, Named(4))).Status);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task The_doctor_of_a_relay_counts_the_questions(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync();
        Assert.DoesNotContain(await LinesAsync(), l => l.Words.Contains("asks people", StringComparison.Ordinal));
        await PutAsync(session, Page, 1, [1]);
        Assert.Contains((false, $"office ({plane.Id}) asks people 1 questions, 0 % full"), await LinesAsync());
        await SetAsync(relay, "pages", RelayLimits.Pages / 10 * 8);
        Assert.Contains((true, $"office ({plane.Id}) asks people 8000 questions, 80 % full"), await LinesAsync());
        await SetAsync(relay, "bytes", RelayLimits.PageBytes);
        Assert.Contains((true, $"office ({plane.Id}) asks people 8000 questions, 100 % full"), await LinesAsync());

        Task<List<(bool IsWeak, string Words)>> LinesAsync() =>
            Postern.Hosting.RelayDoctor.CheckAsync(relay.Database, new Postern.Settings.PosternOptions());
    }

    private static Task<int> SetAsync(RelayNode relay, string column, long value) =>
        relay.Database.WriteAsync(tx => tx.ExecuteAsync($"UPDATE relay_page_room SET {column} = $1", value));

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task An_invalid_answer_is_not_stored(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync();
        await PutAsync(session, Page, 1, [1]);
        var at = $"/relay/v1/pages/{plane.Id}/{Page}/answers";
        foreach (
            var (body, field) in new (object, string)[]
            {
                ("{", ""),
                ("[]", ""),
                (new { }, "nonce"),
                (new { nonce = Page }, "sealed"),
                (new { nonce = 1, @sealed = "AAAA" }, "nonce"),
                (new { nonce = Page[1..], @sealed = "AAAA" }, "nonce"),
                (new { nonce = Page[1..] + "=", @sealed = "AAAA" }, "nonce"),
                (new { nonce = Page, @sealed = "A+/=" }, "sealed"),
                (new { nonce = Page, @sealed = "" }, "sealed"),
                ("{\"nonce\":\"" + Page + "\",\"nonce\":\"" + Page + "\",\"sealed\":\"AAAA\"}", ""),
                (new byte[] { 0xff, 0xfe, 0x7b }, ""),
            }
        )
        {
            var wrong = await relay.PostAsync(at, body);
            Assert.True(wrong.Status == 400, $"{body}: {wrong}");
            Assert.Contains(field, wrong.Text, StringComparison.Ordinal);
            Assert.Equal("*", wrong.Header("Access-Control-Allow-Origin"));
        }
        var large = new string(' ', RelayLimits.PageAnswer - 41) + $"{{\"nonce\":\"{Page}\",\"sealed\":\"A\"}}";
        Assert.Equal(413, (await relay.PostAsync(at, large + new string(' ', 10_000))).Status);
        var bearer = await relay.PostAsync(at, Body, ("Authorization", "Bearer pst_live_x"));
        Assert.Equal((400, "credential_not_relayed"), (bearer.Status, bearer.String("code")));
        foreach (var method in new[] { "PUT", "DELETE", "GET" })
            Assert.Equal(405, (await relay.SendAsync(new HttpMethod(method), at)).Status);
        Assert.Equal(0, await relay.CountAsync("relay_request"));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task An_answer_is_an_envelope_of_the_pages_own_lane(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync();
        await PutAsync(session, Page, 1, [1]);
        // As a browser sends it from another origin without a preflight.
        var sending = relay.SendAsync(
            HttpMethod.Post,
            $"/relay/v1/pages/{plane.Id}/{Page}/answers",
            System.Text.Encoding.UTF8.GetBytes($"{{ \"nonce\":\"{Page}\", \"sealed\":\"AAAA\", \"more\":1 }}"),
            ("Content-Type", "text/plain;charset=UTF-8"),
            ("Cookie", "a=b"),
            ("X-Anything", "1")
        );
        var envelope = await session.NextAsync<EnvelopeHead>();
        var request = plane.Unseal(envelope);
        Assert.Equal(("POST", $"/relay/v1/answers/{plane.Id}/{Page}"), (request.Method, request.Target));
        Assert.Equal(Lane.Of(request.Target), ((EnvelopeHead)envelope.Head).Lane);
        Assert.Equal(
            [
                ["Content-Type", "application/json"],
            ],
            request.Headers
        );
        Assert.Equal(
            $"{{\"nonce\":\"{Page}\",\"sealed\":\"AAAA\"}}",
            System.Text.Encoding.UTF8.GetString(request.Body.Span)
        );
        await session.AnswerAsync(
            envelope,
            200,
            "{\"version\":2,\"sealed\":\"AAAA\"}",
            ["Content-Type", "application/json"]
        );
        var answer = await sending;
        Assert.Equal((200, "*"), (answer.Status, answer.Header("Access-Control-Allow-Origin")));
        Assert.NotNull(answer.Header("Postern-Receipt"));
        Assert.Contains("sandbox", answer.Header("Content-Security-Policy"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_malformed_page_ends_the_connection(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        foreach (
            var (page, version, length) in ((string, long, int)[])
                [("short", 1, 1), (new('*', 22), 1, 1), (Page, 0, 1), (Page, 1, 0), (Page, 1, RelayLimits.Page + 1)]
        )
        {
            await using var session = await plane.ConnectAsync();
            await session.SendAsync(new PageHead(page, version, Later), new byte[length]);
            Assert.Equal(CloseCode.Protocol, await session.Closed.Task.WaitAsync(TimeSpan.FromSeconds(30)));
        }
        Assert.Equal(0, await relay.CountAsync("relay_page"));
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Pages_go_when_their_time_is_over(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync();
        await PutAsync(session, Page, 1, [1]);
        await EndAsync(session, Named(1), 2, [1]);
        var store = relay.Get<PageStore>();
        await relay.Database.WriteAsync(tx => tx.ExecuteAsync("UPDATE relay_page SET remove_at = $1", tx.Now + Hour));
        await store.SweepAsync(default);
        Assert.Equal(2, await relay.CountAsync("relay_page"));
        await relay.Database.WriteAsync(tx => tx.ExecuteAsync("UPDATE relay_page SET remove_at = 1"));
        await store.SweepAsync(default);
        Assert.Equal(0, await relay.CountAsync("relay_page"));
        var left = await relay.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT pages + bytes + ended FROM relay_page_room", r => r.GetInt64(0))
        );
        Assert.Equal(0, left);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_stranger_with_the_pages_id_is_slowed(Backend backend)
    {
        await using var relay = await RelayNode.StartAsync(backend, set: o => o.RelayServer.UnknownPerSecond = 2);
        using var plane = await relay.JoinAsync();
        await using var session = await plane.ConnectAsync();
        await PutAsync(session, Page, 1, [1]);
        var slowed = 0;
        for (var i = 0; i < 30; i++)
            slowed += (await GetAsync(relay, plane.Id, Page)).Status == 429 ? 1 : 0;
        Assert.InRange(slowed, 1, 29);
    }
}
