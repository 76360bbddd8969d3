using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The real process as a plane, killed while a relay hands over: every envelope has one effect and one outcome, however
/// often it comes.
/// </summary>
public sealed class PlaneCrashTests
{
    private static readonly int Kills = CrashRounds.Of(8);
    private const int Lanes = 8;

    /// <summary>As many as the triggers accept in all; nobody works on their runs.</summary>
    private static readonly int OfRound = Math.Min(96, Lanes * 990 / (Kills + 1));

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Each_envelope_has_one_effect_and_its_first_outcome_whenever_the_plane_dies(Backend backend)
    {
        var folder = Directory.CreateTempSubdirectory("postern-plane-").FullName;
        await using var relay = await TestRelay.StartAsync();
        var database = backend == Backend.Postgres ? $" --database \"{PostgresServer.NewDatabase()}\"" : "";
        var arguments =
            $"--data {folder} --urls http://127.0.0.1:{PostgresServer.FreePort()} --dev{database} --relay {relay.Code}";
        var environment = new Dictionary<string, string>
        {
            ["POSTERN_RateLimits__CallbackBurst"] = "0",
            ["POSTERN_Relay__Transport"] = "websocket",
            ["POSTERN_MASTER_KEY"] = "a master key for the crash test, long enough",
        };
        var server = await ServerProcess.StartAsync(arguments, environment);
        using var http = server.Client(server.RootKey);
        (await http.PutAsJsonAsync("/api/v1/agents/idle", new { kind = "pull" })).EnsureSuccessStatusCode();
        for (var lane = 0; lane < Lanes; lane++)
            (
                await http.PostAsJsonAsync(
                    $"/api/triggers/user/u/t{lane}",
                    new
                    {
                        agent = "idle",
                        promptTemplate = "{{body}}",
                        maxInFlight = 1000,
                    }
                )
            ).EnsureSuccessStatusCode();
        var connection = await relay.ConnectionAsync();

        var sent = new List<Frame>();
        for (var kill = 0; kill <= Kills; kill++)
        {
            for (var i = 0; i < OfRound; i++)
                sent.Add(relay.Seal(Request(sent.Count)));
            var before = Answered(sent);
            await HandOverAsync();
            var until = kill == Kills ? sent.Count : before + 1 + (kill * 17 % (OfRound - 1));
            await WaitFor.TrueAsync(
                () => Task.FromResult(Answered(sent) >= until),
                TimeSpan.FromSeconds(60),
                $"{until} answers"
            );
            if (kill == Kills)
                break;
            await server.KillAsync();
            await server.DisposeAsync();
            server = await ServerProcess.StartAsync(arguments, environment);
            connection = await relay.ConnectionAsync();
        }

        var effects = 0;
        for (var lane = 0; lane < Lanes; lane++)
            effects += (await http.GetFromJsonAsync<JsonElement>($"/api/triggers/user/u/t{lane}"))
                .GetProperty("data")
                .GetProperty("requestCount")
                .GetInt32();
        Assert.Equal(sent.Count, effects);
        var outcomes = Outcomes();
        foreach (var frame in sent)
            Assert.Single(outcomes[((EnvelopeHead)frame.Head).Id].Distinct(StringComparer.Ordinal));
        TestContext.Current.TestOutputHelper?.WriteLine($"{Kills} kills, {sent.Count} envelopes, {effects} effects");
        await server.DisposeAsync();

        // As a relay does: at most 256 are unanswered.
        async Task HandOverAsync()
        {
            var open = sent.Where(f => relay.CountAnswers(((EnvelopeHead)f.Head).Id) == 0).ToList();
            for (var at = 0; at < open.Count; at++)
            {
                if (at % (RelayLimits.Open / 2) == 0)
                    await WaitFor.TrueAsync(() => Task.FromResult(Answered(open) >= at - (RelayLimits.Open / 2)));
                await connection.SendAsync(open[at]);
            }
        }

        int Answered(List<Frame> frames) => frames.Count(f => relay.CountAnswers(((EnvelopeHead)f.Head).Id) > 0);

        ILookup<string, string> Outcomes()
        {
            lock (relay.Answers)
                return relay.Answers.ToLookup(
                    a => a.Head.Id,
                    a =>
                        JsonSerializer
                            .Deserialize<JsonElement>(a.Body)
                            .GetProperty("data")
                            .GetProperty("requestId")
                            .GetString()!
                );
        }
    }

    private static RelayedRequest Request(int n) =>
        new(
            "POST",
            $"/inbound/user/u/t{n % Lanes}",
            "203.0.113.7",
            [
                ["Content-Type", "application/json"],
            ],
            Encoding.UTF8.GetBytes($"{{\"n\":{n}}}")
        );
}
