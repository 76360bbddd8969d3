using System.Diagnostics;
using Npgsql;
using Postern.Support;

namespace Postern.Bench;

/// <summary>
/// Nodes on PostgreSQL: what idle streams cost the database, how soon another node hears, and what an upgrade of a
/// large database costs those who use it meanwhile.
/// </summary>
internal static class NodeMeasurements
{
    private const int Appends = 300;
    private const int Runs = 1_500_000;

    /// <summary>What a node of 0.3.0 knows too.</summary>
    private static readonly Dictionary<string, string> OldSettings = Measurements
        .NoLimits.Where(s => !s.Key.Contains("Callback", StringComparison.Ordinal))
        .ToDictionary();

    private const string NoNotifications = """
        CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT';
        """;

    /// <summary>
    /// Transactions a second with no stream and with 10,000 on as many sessions; the time until another node hears.
    /// </summary>
    public static async Task IdleAsync(string folder)
    {
        const int streams = 10_000;
        foreach (var isSwallowed in (bool[])[false, true])
        {
            var database = PostgresServer.NewDatabase();
            if (isSwallowed)
                await SwallowAsync(database);
            var how = isSwallowed ? ", notifications swallowed" : "";
            await using var one = await Child.StartAsync($"serve {folder}/one \"{database}\"", Measurements.NoLimits);
            var key = one.RootKey;
            using var http = Measurements.Client(one, key);
            await Task.Delay(3000);
            Measurements.Say("transactions without streams" + how, await TransactionsAsync(database), "/s");
            await Parallel.ForAsync(
                0,
                streams,
                new ParallelOptions { MaxDegreeOfParallelism = 32 },
                async (i, _) => await Measurements.StartSessionAsync(http, "idle" + i)
            );
            var open = await StreamMeasurements.OpenAsync(new Uri(one.Url).Port, key, streams, i => "idle" + i);
            // Each is looked at once by itself, within half a minute after it was opened.
            await Task.Delay(TimeSpan.FromSeconds(45));
            Measurements.Say(
                $"the same with {streams:#,0}{how}",
                await TransactionsAsync(database),
                "/s",
                "target <= 20"
            );

            await using var other = await Child.StartAsync($"serve {folder}/two \"{database}\"", Measurements.NoLimits);
            await Task.Delay(3000);
            var listener = (await StreamMeasurements.OpenAsync(new Uri(other.Url).Port, key, 1, _ => "idle7"))[0];
            var times = new List<double>();
            for (var i = 0; i < Appends; i++)
            {
                var heard = StreamMeasurements.HearAsync(listener);
                using var content = new StringContent(new string('x', 200));
                (await http.PostAsync("/realtime/v1/sessions/idle7/out/append", content)).EnsureSuccessStatusCode();
                var answered = Stopwatch.StartNew();
                await heard;
                times.Add(answered.Elapsed.TotalMilliseconds);
                await Task.Delay(Random.Shared.Next(30));
            }
            times.Sort();
            Measurements.Say("another node hears, p50" + how, times[times.Count / 2], "ms");
            Measurements.Say(
                "p99",
                times[times.Count * 99 / 100],
                "ms",
                isSwallowed ? "target <= 250" : "target <= 30"
            );
            StreamMeasurements.Close([.. open, listener]);
        }
    }

    /// <summary>
    /// A database with 1.5 million runs is brought to this schema while a node of an older version serves from it.
    /// <c>OLD_POSTERN</c> names that version's <c>postern.dll</c>.
    /// </summary>
    public static async Task UpgradeAsync(string folder)
    {
        if (Environment.GetEnvironmentVariable("OLD_POSTERN") is not { Length: > 0 } program)
        {
            Console.WriteLine("left out: OLD_POSTERN names no older postern.dll");
            return;
        }
        var database = PostgresServer.NewDatabase();
        await using var old = await Child.StartAsync(
            $"serve --dev --data {folder}/old --urls http://127.0.0.1:0 --database \"{database}\"",
            OldSettings,
            program
        );
        using var http = Measurements.Client(old, old.RootKey);
        await Measurements.StartSessionAsync(http, "s");
        (await http.PostAsJsonAsync("/api/v1/runs", new { agent = "echo" })).EnsureSuccessStatusCode();
        await Task.Delay(3000);
        await FillAsync(database);

        var (slowest, failed, asked) = (0.0, 0, 0);
        using var over = new CancellationTokenSource();
        var probe = Task.Run(async () =>
        {
            while (!over.IsCancellationRequested)
            {
                var watch = Stopwatch.StartNew();
                using var content = new StringContent("word");
                using var append = await http.PostAsync("/realtime/v1/sessions/s/out/append", content);
                using var made = await http.PostAsJsonAsync("/api/v1/runs", new { agent = "echo" });
                using var list = await http.GetAsync("/api/v1/runs?limit=20");
                slowest = Math.Max(slowest, watch.Elapsed.TotalMilliseconds);
                asked += 3;
                foreach (var answer in (HttpResponseMessage[])[append, made, list])
                    if (!answer.IsSuccessStatusCode)
                        failed++;
                await Task.Delay(20);
            }
        });
        await Task.Delay(5000);
        Measurements.Say("before: an append, a run and a list, slowest", slowest, "ms");
        slowest = 0;
        var began = Stopwatch.StartNew();
        await using (await Child.StartAsync($"serve {folder}/new \"{database}\"", Measurements.NoLimits))
            Measurements.Say($"{Runs:#,0} runs: the newer node serves after", began.Elapsed.TotalSeconds, "s");
        Measurements.Say("meanwhile: an append, a run and a list, slowest", slowest, "ms");
        await over.CancelAsync();
        await probe;
        Measurements.Say($"requests that failed, of {asked:#,0}", failed, "");
    }

    /// <summary>What is copied, and what is not the same in each copy.</summary>
    private static readonly (string Table, Dictionary<string, string> Changed)[] Copied =
    [
        (
            "run",
            new()
            {
                ["id"] = "'run_many_' || n",
                ["created_at"] = "t.created_at - n",
                ["session"] = "NULL",
                ["trigger_key"] = "NULL",
                ["ended_at"] = "t.created_at",
                ["due_at"] = "NULL",
            }
        ),
        ("event", new() { ["id"] = "t.id || n", ["subject"] = "'run_many_' || n" }),
    ];

    private static async Task FillAsync(string database)
    {
        await using var source = NpgsqlDataSource.Create(database + ";Command Timeout=600");
        foreach (var (table, values) in Copied)
        {
            var columns = new List<string>();
            await using (var read = source.CreateCommand($"SELECT * FROM {table} LIMIT 0"))
            await using (var reader = await read.ExecuteReaderAsync())
            {
                for (var i = 0; i < reader.FieldCount; i++)
                    columns.Add(reader.GetName(i));
            }
            await using var fill = source.CreateCommand(
                $"""
                INSERT INTO {table} ({string.Join(", ", columns)})
                SELECT {string.Join(", ", columns.Select(c => values.GetValueOrDefault(c) ?? "t." + c))}
                FROM (SELECT * FROM {table} LIMIT 1) t, generate_series(1, {Runs}) n
                """
            );
            await fill.ExecuteNonQueryAsync();
        }
        await using var analyze = source.CreateCommand("ANALYZE");
        await analyze.ExecuteNonQueryAsync();
    }

    private static async Task SwallowAsync(string database)
    {
        await using var source = NpgsqlDataSource.Create(database);
        var name = new NpgsqlConnectionStringBuilder(database).Database;
        await using var command = source.CreateCommand(
            NoNotifications + $"ALTER DATABASE {name} SET search_path = public, pg_catalog;"
        );
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<double> TransactionsAsync(string database)
    {
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(database) { Database = "postgres" }.ToString()
        );
        var name = new NpgsqlConnectionStringBuilder(database).Database;
        const int seconds = 20;
        var before = await CountAsync();
        await Task.Delay(TimeSpan.FromSeconds(seconds));
        return (await CountAsync() - before) / (double)seconds;

        async Task<long> CountAsync()
        {
            await using var command = source.CreateCommand(
                $"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{name}'"
            );
            return (long)(await command.ExecuteScalarAsync())!;
        }
    }
}
