using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// A relay behind proxies as Debian packages them; senders that were not written here; different clocks; a backlog that
/// is worked off.
/// </summary>
public sealed class RelayFrontTests
{
    [Theory]
    [InlineData("nginx as it comes", "poll")]
    [InlineData("nginx that passes Upgrade on", "websocket")]
    [InlineData("haproxy as it comes", "websocket")]
    public async Task A_relay_works_behind(string front, string transport)
    {
        await using var scene = await RelayedScene.StartAsync(
            async (port, relay) =>
                (
                    front switch
                    {
                        "nginx as it comes" => await FrontServer.NginxAsync(port, relay),
                        "haproxy as it comes" => await FrontServer.HaproxyAsync(port, [relay]),
                        _ => await FrontServer.NginxAsync(port, relay, FrontServer.NginxUpgrade),
                    },
                    port
                )
        );
        Assert.Equal(transport, (await scene.ConnectionAsync()).GetProperty("transport").GetString());
        var large = $"{{\"text\":\"{new string('x', 200_000)}\"}}";
        var bodies = Enumerable.Range(0, 40).Select(i => $"{{\"n\":{i}}}").Append(large).ToList();
        var answers = await Task.WhenAll(bodies.Select(b => scene.HookAsync(b, ("Prefer", "wait=50"))));
        Assert.All(answers, a => Assert.True(a.Status == 200, a.ToString()));
        Assert.Equal(transport, (await scene.ConnectionAsync()).GetProperty("transport").GetString());
    }

    [Fact]
    public async Task Providers_own_libraries_sign_and_their_messages_arrive_through_a_relay()
    {
        await using var scene = await RelayedScene.StartAsync(
            async (port, relay) => (await FrontServer.HaproxyAsync(port, [relay]), port)
        );
        (string Signer, string Scheme, string Secret)[] all =
        [
            ("stripe", "stripe", "whsec_stripes_are_texts"),
            ("github", "github", "It's a Secret to Everybody"),
            ("standard", "standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("svix", "standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ];
        foreach (var (signer, scheme, secret) in all)
            await scene.TriggerAsync(signer, scheme, secret);
        foreach (var (signer, _, _) in all)
            await scene.OpenAsync("/inbound/user/u/" + signer);
        await Task.WhenAll(all.Select(a => SignsAsync(a.Signer, a.Secret)));

        async Task SignsAsync(string signer, string secret)
        {
            const string body = "{\"id\":\"evt_1\",\"text\":\"grüße €\"}";
            var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            var headers = await SignAsync(signer, secret, now, body);
            var first = await SendAsync(signer, body, headers);
            Assert.True(first.Status == 200, $"{signer}: {first}");
            Assert.Contains("\"duplicate\":true", (await SendAsync(signer, body, headers)).Text);
            Assert.Equal(401, (await SendAsync(signer, body.Replace('1', '2'), headers)).Status);
            if (signer != "github")
            {
                var old = await SignAsync(signer, secret, now - 301, body);
                Assert.Equal(401, (await SendAsync(signer, body, old)).Status);
            }
        }

        Task<Answer> SendAsync(string signer, string body, (string, string)[] headers) =>
            scene.Relay.PostAsync(scene.At("/inbound/user/u/" + signer), Encoding.UTF8.GetBytes(body), headers);
    }

    [Theory]
    [InlineData(60)]
    [InlineData(-60)]
    public async Task A_server_whose_clock_is_an_hour_wrong_takes_what_is_signed_now(int minutes)
    {
        await using var scene = await RelayedScene.StartAsync(
            async (port, relay) => (await FrontServer.HaproxyAsync(port, [relay]), port),
            clockOff: TimeSpan.FromMinutes(minutes)
        );
        await scene.TriggerAsync("stripe", "stripe", "whsec_stripes_are_texts");
        await scene.OpenAsync("/inbound/user/u/stripe");
        const string body = "{\"id\":\"evt_1\"}";
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var at = scene.At("/inbound/user/u/stripe");
        var signed = await SignAsync("stripe", "whsec_stripes_are_texts", now, body);
        var taken = await scene.Relay.PostAsync(at, body, signed);
        Assert.True(taken.Status == 200, taken.ToString());
        // A message that was signed an hour ago is old, whatever this server's clock says.
        var old = await SignAsync("stripe", "whsec_stripes_are_texts", now + (60 * minutes), body);
        Assert.Equal(401, (await scene.Relay.PostAsync(at, body, old)).Status);
        var off = (await scene.ConnectionAsync()).GetProperty("clockMilliseconds").GetInt64();
        Assert.InRange(off, (-60_000 * minutes) - 5_000, (-60_000 * minutes) + 5_000);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_backlog_is_drained_in_order_while_others_are_answered(Backend backend)
    {
        // As many as make test has time for, or as the variable says: 10,000 go over 100 paths.
        var stored = int.TryParse(Environment.GetEnvironmentVariable("BACKLOG"), out var many) ? many : 400;
        var lanes = stored >= 10_000 ? 100 : 20;
        CuttingProxy line = null!;
        await using var scene = await RelayedScene.StartAsync(
            async (_, relay) => (line = await CuttingProxy.StartAsync(relay), line.Port),
            backend: backend
        );
        for (var lane = 0; lane < lanes; lane++)
            await scene.TriggerAsync("t" + lane);
        await scene.OpenAsync($"/inbound/user/u/t{lanes - 1}");
        // From here on the sender's network is known; unknown networks have a quarter together.
        Assert.Equal(200, (await scene.HookAsync("{\"first\":true}", ("Prefer", "wait=30"))).Status);
        line.BlackHole();
        for (var round = 0; round < stored / lanes; round++)
            await Task.WhenAll(
                Enumerable
                    .Range(0, lanes)
                    .Select(async lane =>
                    {
                        var body = $"{{\"n\":{round}}}";
                        var path = scene.At("/inbound/user/u/t" + lane);
                        var answer = await scene.Relay.PostAsync(
                            path,
                            body,
                            RelayedScene.Signed(body),
                            ("Prefer", "respond-async")
                        );
                        Assert.Equal(202, answer.Status);
                    })
            );
        Assert.Equal(stored, await WaitingAsync());
        line.Heal();
        await WaitFor.TrueAsync(
            async () => (await scene.ConnectionAsync()).GetProperty("connects").GetInt64() > 1,
            TimeSpan.FromSeconds(60)
        );
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        var longest = TimeSpan.Zero;
        // Somebody else calls meanwhile, at another door, and does not wait behind the backlog.
        var answered = 0;
        while (await WaitingAsync() > 0)
        {
            var asked = System.Diagnostics.Stopwatch.GetTimestamp();
            Assert.Equal(200, (await scene.HookAsync($"{{\"live\":{answered}}}", ("Prefer", "wait=30"))).Status);
            answered++;
            var took = System.Diagnostics.Stopwatch.GetElapsedTime(asked);
            longest = took > longest ? took : longest;
        }
        Assert.True(answered > 1);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{stored} drained in {System.Diagnostics.Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s; of "
                + $"{answered} calls meanwhile the longest took {longest.TotalMilliseconds:0} ms"
        );
        for (var lane = 0; lane < lanes; lane++)
            Assert.Equal(Enumerable.Range(0, stored / lanes).Select(n => $"{{\"n\":{n}}}"), await CapturedAsync(lane));

        ValueTask<long> WaitingAsync() =>
            scene.Relay.Database.ReadAsync(tx =>
                tx.FirstAsync("SELECT COUNT(*) FROM relay_request WHERE state = 'stored'", r => r.GetInt64(0))
            );

        // In the order of their captures.
        ValueTask<List<string>> CapturedAsync(int lane) =>
            scene.Server.Database.ReadAsync(tx =>
                tx.ListAsync(
                    "SELECT body FROM capture WHERE path = $1 ORDER BY at, id LIMIT 1000",
                    r => Encoding.UTF8.GetString((byte[])r.GetValue(0)),
                    "/inbound/user/u/t" + lane
                )
            );
    }

    private static async Task<(string Name, string Value)[]> SignAsync(
        string signer,
        string secret,
        long at,
        string body
    )
    {
        var (code, text, error) = await Node.RunAsync(
            $"sign.mjs {signer} \"{secret}\" {at} \"{body.Replace("\"", "\\\"", StringComparison.Ordinal)}\"",
            []
        );
        Assert.True(code == 0, error);
        return [.. JsonSerializer.Deserialize<Dictionary<string, string>>(text)!.Select(h => (h.Key, h.Value))];
    }
}
