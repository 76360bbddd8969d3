using System.Diagnostics;
using Postern.Access;
using Postern.Deliveries;
using Postern.Hosting;
using Postern.Storage;

namespace Postern.Bench;

/// <summary>
/// Deliveries: a backlog drained to a local receiver, what it costs in memory, and what one dead endpoint costs the
/// others.
/// </summary>
internal static class DeliveryMeasurements
{
    private const int Backlog = 100_000;
    private const int Endpoints = 100;
    private const int EachEndpoint = 400;

    public static async Task RunAsync(string folder)
    {
        await File.WriteAllBytesAsync($"{folder}/bytes", []);
        await using var receiver = await Child.StartAsync($"bare {folder}/bytes");
        await BacklogAsync($"{folder}/one", receiver.Url);
        var alone = await ManyAsync($"{folder}/many", receiver.Url, dead: false);
        var beside = await ManyAsync($"{folder}/dead", receiver.Url, dead: true);
        Measurements.Say($"{Endpoints - 1} endpoints, beside a hundredth that works", alone, "a second");
        Measurements.Say($"{Endpoints - 1} endpoints, beside a hundredth that hangs", beside, "a second");
        Measurements.Say("what the dead one costs the others", 100 * (1 - (beside / alone)), "%", "target < 10 %");
    }

    private static async Task BacklogAsync(string data, string url)
    {
        await SeedAsync(data, 1, Backlog, _ => url + "/post");
        await using var server = await Child.StartAsync($"serve {data}", Measurements.NoLimits);
        var (most, first) = (0L, server.ResidentKib());
        var watch = Stopwatch.StartNew();
        // The memory that a backlog of ten thousand takes, and that all of it takes.
        long early = 0;
        while (true)
        {
            var left = await LeftAsync(data, "");
            most = Math.Max(most, server.ResidentKib());
            if (early == 0 && left <= Backlog * 9 / 10)
                early = most;
            if (left == 0)
                break;
            if (watch.Elapsed > TimeSpan.FromMinutes(5))
                throw new InvalidOperationException($"{left} are left");
            await Task.Delay(100);
        }
        Measurements.Say(
            $"a backlog of {Backlog:#,0} drained",
            Backlog / watch.Elapsed.TotalSeconds,
            "a second",
            "target 2,000"
        );
        Measurements.Say("resident at the start, after a tenth, at most", first / 1024.0, "MiB");
        Measurements.Say("", early / 1024.0, "MiB");
        Measurements.Say("", most / 1024.0, "MiB", "does not grow with the backlog");
    }

    /// <summary>How many a second the first 99 endpoints get.</summary>
    private static async Task<double> ManyAsync(string data, string url, bool dead)
    {
        using var hole = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        // It takes connections and never answers.
        hole.Start();
        await SeedAsync(
            data,
            Endpoints,
            EachEndpoint,
            e =>
                dead && e == Endpoints - 1
                    ? $"http://127.0.0.1:{((System.Net.IPEndPoint)hole.LocalEndpoint).Port}/"
                    : url + "/post"
        );
        await using var server = await Child.StartAsync($"serve {data}", Measurements.NoLimits);
        var watch = Stopwatch.StartNew();
        while (await LeftAsync(data, " AND endpoint <> 'endpoint:e099'") > 0)
            await Task.Delay(50);
        return (Endpoints - 1) * EachEndpoint / watch.Elapsed.TotalSeconds;
    }

    /// <summary>A database with endpoints and what waits for them, written before the server starts.</summary>
    private static async Task SeedAsync(string data, int endpoints, int each, Func<int, string> url)
    {
        await (await Child.StartAsync($"serve {data}", Measurements.NoLimits)).StopAsync();
        var master = MasterKey.FromText(Measurements.NoLimits["POSTERN_MASTER_KEY"]);
        await using var database = await ServeOptions
            .From(data, "http://127.0.0.1:0", null, true)
            .OpenDatabaseAsync(TimeProvider.System, default);
        var project = (await database.ReadAsync(tx => tx.FirstAsync("SELECT id FROM project", r => r.GetString(0))))!;
        var body = Outbox.Body(
            "run.succeeded",
            database.Now,
            json => json.WriteString("runId", "run_01m80t06jve429nf9xf5c8pwcw")
        );
        for (var e = 0; e < endpoints; e++)
        {
            var id = $"e{e:000}";
            for (var from = 0; from < each; from += 1000)
            {
                await database.WriteAsync(async tx =>
                {
                    if (from == 0)
                        await WebhookEndpoints.PutAsync(
                            tx,
                            new WebhookEndpoint
                            {
                                Project = project,
                                Id = id,
                                Url = url(e),
                                Events = ["approval.*"],
                                SealedSecret = master.Protect(
                                    SigningSecret.New(),
                                    WebhookEndpoint.SealPurpose(project, id)
                                ),
                                Ordered = true,
                                Enabled = true,
                                Links = false,
                                CreatedAt = 0,
                                UpdatedAt = 0,
                            }
                        );
                    for (var i = from; i < Math.Min(each, from + 1000); i++)
                        await DeliveryRow.InsertAsync(
                            tx,
                            Id.New(Delivery.Prefix, tx.Now),
                            new NewDelivery(
                                project,
                                EventPurpose.PurposeName,
                                WebhookEndpoints.KeyOf(id),
                                $"run_{i}",
                                "run.succeeded",
                                body,
                                tx.Now + Outbox.GiveUpAfter
                            )
                        );
                    return 0;
                });
            }
        }
    }

    private static async Task<long> LeftAsync(string data, string where)
    {
        await using var connection = new Microsoft.Data.Sqlite.SqliteConnection(
            $"Data Source={data}/postern.db;Mode=ReadOnly;Pooling=False"
        );
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT COUNT(*) FROM delivery WHERE status = 'pending' AND due_at IS NOT NULL" + where;
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
