using System.Globalization;

namespace Postern.Bench;

/// <summary>
/// Captured webhooks over HTTP with a signature check: capture, session, message and run in one durable commit, against
/// a bare loop that writes the same rows in the same batches.
/// </summary>
internal static class InboundMeasurements
{
    private const int Triggers = 200;
    private const int Rounds = 3;
    private const int Seconds = 5;
    private const int Connections = 64;

    /// <summary>More than a round can send.</summary>
    private const int Slice = 200_000;

    public static async Task RunAsync(string folder)
    {
        string key;
        await using (var first = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits))
        {
            key = first.RootKey;
            using var maker = Measurements.Client(first, key);
            await Webhooks.MakeTriggersAsync(maker, Triggers);
            await first.StopAsync();
        }
        for (var i = 0; i < Rounds; i++)
            File.Copy($"{folder}/data/postern.db", $"{folder}/bare{i}.db");

        await using var server = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits);
        await Wrk.RunAsync(
            server.Url,
            Measurements.WarmSeconds,
            Connections,
            null,
            Webhooks.Script(folder, 0, Slice, Triggers)
        );
        var rounds = new List<Wrk>();
        for (var round = 1; round <= Rounds; round++)
            rounds.Add(
                await Wrk.RunAsync(
                    server.Url,
                    Seconds,
                    Connections,
                    null,
                    Webhooks.Script(folder, round, Slice, Triggers)
                )
            );
        if (rounds.Sum(r => r.Failed) > 0)
            throw new InvalidOperationException($"{rounds.Sum(r => r.Failed)} requests were refused");
        await server.StopAsync();
        var batch = double.Parse(server.Find("batch size  "), CultureInfo.InvariantCulture);
        var limit = Enumerable
            .Range(0, Rounds)
            .Select(i =>
                Bare($"{folder}/bare{i}.db", Math.Max(1, (int)Math.Round(batch)), TimeSpan.FromSeconds(Seconds))
            )
            .ToList();
        Measurements.Say(
            "captured webhooks over HTTP, signed, 64 connections",
            Measurements.Median(rounds.Select(r => r.PerSecond)),
            "a second"
        );
        Measurements.Say("commands a commit", batch, "");
        Measurements.Say("a bare SQLite loop, the same rows and batch", Measurements.Median(limit), "a second");
        Measurements.Say(
            "ratio",
            100 * Measurements.Median(rounds.Select(r => r.PerSecond)) / Measurements.Median(limit),
            "%",
            "target 40 %"
        );
        Measurements.Say("p99", Measurements.Median(rounds.Select(r => r.P99Milliseconds)), "ms", "target < 30 ms");
    }

    /// <summary>The same on PostgreSQL, against 64 loops at once with a commit a capture.</summary>
    public static async Task PostgresAsync(string folder)
    {
        var database = BarePostgres.NewDatabase();
        await using var server = await Child.StartAsync($"serve {folder}/data \"{database}\"", Measurements.NoLimits);
        using var maker = Measurements.Client(server, server.RootKey);
        await Webhooks.MakeTriggersAsync(maker, Triggers);
        await using var bare = await BarePostgres.OpenAsync(database);
        var project = await bare.ScalarAsync<string>("SELECT id FROM project LIMIT 1");
        await bare.CompareAsync(
            "captured webhooks",
            server.Url,
            round => Webhooks.Script(folder, round, Slice, Triggers),
            (_, n) => BareRows.OfCapture(project, Triggers, n)
        );
    }

    /// <summary>The limit: every row that a capture writes, from a loop that does nothing else.</summary>
    private static double Bare(string file, int perCommit, TimeSpan span)
    {
        using var bare = new BareFile(file);
        var project = (string)bare.Scalar("SELECT id FROM project LIMIT 1")!;
        return bare.Run(perCommit, span, done => bare.Write(BareRows.OfCapture(project, Triggers, done)));
    }
}
