using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;
using Npgsql;
using Postern.Support;

namespace Postern.Chaos;

/// <summary>
/// Injects the planned faults one after the other, and ends each. Each is written to the ledger with its span, so that
/// the auditor knows which errors a fault explains.
/// </summary>
internal sealed class Injector(
    Cluster cluster,
    Ledger ledger,
    IReadOnlyList<PlannedFault> faults,
    string rootKey,
    CancellationToken stop
)
{
    /// <summary>How late a fault may begin.</summary>
    private static readonly TimeSpan Lateness = TimeSpan.FromSeconds(20);

    public Dictionary<Fault, int> Done { get; } = [];

    public List<string> LeftOut { get; } = [];

    public async Task RunAsync()
    {
        try
        {
            foreach (var planned in faults)
            {
                var wait = planned.At - TimeSpan.FromMilliseconds(ledger.Now);
                if (wait > TimeSpan.Zero)
                    await Task.Delay(wait, stop);
                else if (wait < -Lateness && !planned.IsAskedFor)
                    continue; // Those before it took long: the simulation ends in its time.
                var began = ledger.Now;
                var done = await InjectAsync(planned);
                if (!done)
                    continue;
                Done[planned.Fault] = Done.GetValueOrDefault(planned.Fault) + 1;
                ledger.Write(
                    "fault",
                    new
                    {
                        fault = planned.Fault.ToString(),
                        planned.Node,
                        began,
                        ended = ledger.Now,
                    }
                );
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The simulation is over.
        }
    }

    private async Task<bool> InjectAsync(PlannedFault planned)
    {
        var node = cluster.Nodes[planned.Node];
        await node.StartAsync(TimeSpan.FromSeconds(40));
        switch (planned.Fault)
        {
            case Fault.Kill:
                await node.KillAsync();
                await Task.Delay(planned.For / 4, CancellationToken.None);
                await node.StartAsync(TimeSpan.FromSeconds(40));
                return true;
            case Fault.Freeze:
                return await BetweenAsync(planned, () => node.SignalAsync("STOP"), () => node.SignalAsync("CONT"));
            case Fault.Cut:
                node.Front.CutAll();
                return true;
            case Fault.BlackHole:
                return await BetweenAsync(planned, () => Did(node.Front.BlackHole), () => Did(node.Front.Heal));
            case Fault.Descriptors:
                return await UseUpDescriptorsAsync(planned, node);
            case Fault.ClockStep:
                return await StepClockAsync(planned, node);
            case Fault.FullDisk:
                // Beyond this length nothing can be written to any file.
                return await BetweenAsync(
                    planned,
                    () => node.SetTimeLimitAsync("fsize", "65536"),
                    () => node.SetTimeLimitAsync("fsize", "unlimited")
                );
            case Fault.LockedFile:
                return await HoldFileAsync(planned);
            case Fault.DatabaseCut:
                node.Back!.CutAll();
                return true;
            case Fault.DatabaseBlackHole:
                return await BetweenAsync(planned, () => Did(node.Back!.BlackHole), () => Did(node.Back!.Heal));
            default:
                return await InjectAtPostgresAsync(planned);
        }
    }

    private async Task<bool> InjectAtPostgresAsync(PlannedFault planned)
    {
        switch (planned.Fault)
        {
            case Fault.DatabaseCrash:
                return await BetweenAsync(
                    planned with
                    {
                        For = planned.For / 2,
                    },
                    () => Task.Run(cluster.Postgres!.Crash),
                    () => Task.Run(cluster.Postgres!.StartAgain)
                );
            case Fault.PrimaryKilled:
                return await MovePrimaryAsync(cluster.Patroni!.KillPrimaryAsync);
            case Fault.PrimaryFrozen:
                return await MovePrimaryAsync(cluster.Patroni!.FreezePrimaryAsync);
            case Fault.PatroniFrozen:
                return await MovePrimaryAsync(cluster.Patroni!.FreezePatroniAsync);
            case Fault.SwitchOver:
                return await MovePrimaryAsync(cluster.Patroni!.SwitchOverAsync);
            case Fault.HeldRows:
                return await HoldRowsAsync(planned);
            case Fault.SlowStatements:
                return await BetweenAsync(planned, () => SetAsync("'20ms'"), () => SetAsync("0"));
            case Fault.Terminated:
                await SqlAsync(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        + "WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.7"
                );
                return true;
            default:
                throw new InvalidOperationException(planned.Fault.ToString());
        }

        async Task SetAsync(string value)
        {
            await SqlAsync("ALTER SYSTEM SET statement_timeout = " + value);
            await SqlAsync("SELECT pg_reload_conf()");
        }
    }

    /// <summary>Stops the primary, and measures how soon each node can write after there is a new one.</summary>
    private async Task<bool> MovePrimaryAsync(Func<Task<int>> takeAway)
    {
        var began = Stopwatch.StartNew();
        var was = await takeAway();
        await cluster.Patroni!.OtherTakesWritesAsync(was);
        var without = began.Elapsed;
        began.Restart();
        await Task.WhenAll(cluster.Nodes.Select(n => WritesAsync(n, began)));
        foreach (var node in cluster.Nodes)
            ledger.Write("no_primary", new { node = node.Number, milliseconds = (long)without.TotalMilliseconds });
        await cluster.Patroni.HealAsync(was);
        return true;
    }

    private async Task WritesAsync(Node node, Stopwatch since)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(3) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", rootKey);
        await WaitFor.TrueAsync(
            async () =>
            {
                try
                {
                    using var body = new StringContent("""{"agent":"echo","start":false}""");
                    using var answer = await http.PostAsync(node.Url + "/api/v1/runs", body);
                    return answer.IsSuccessStatusCode;
                }
                catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(60),
            $"node {node.Number} writes"
        );
        ledger.Write("writes_again", new { node = node.Number, milliseconds = since.ElapsedMilliseconds });
    }

    private static async Task<bool> BetweenAsync(PlannedFault planned, Func<Task> begin, Func<Task> end)
    {
        await begin();
        try
        {
            await Task.Delay(planned.For, CancellationToken.None);
        }
        finally
        {
            await end();
        }
        return true;
    }

    private static Task Did(Action act)
    {
        act();
        return Task.CompletedTask;
    }

    /// <summary>Opens more connections than the node may have descriptors. Its limit is 1024.</summary>
    private static async Task<bool> UseUpDescriptorsAsync(PlannedFault planned, Node node)
    {
        var sockets = new List<Socket>();
        try
        {
            for (var i = 0; i < 1200; i++)
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                sockets.Add(socket);
                using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
                await socket.ConnectAsync("127.0.0.1", node.Port, soon.Token);
            }
        }
        catch (Exception fault) when (fault is SocketException or OperationCanceledException)
        {
            // It accepts no more.
        }
        await Task.Delay(planned.For, CancellationToken.None);
        foreach (var socket in sockets)
            socket.Close(0);
        return true;
    }

    private async Task<bool> StepClockAsync(PlannedFault planned, Node node)
    {
        if (Node.FakeClock is null)
        {
            if (LeftOut.Count == 0)
                LeftOut.Add("clock steps: Debian's libfaketime is not installed");
            return false;
        }
        string[] steps = ["+7200", "-7200", "+60", "-60"];
        return await BetweenAsync(
            planned,
            () => File.WriteAllTextAsync(node.ClockFile, steps[planned.Number % 4]),
            () => File.WriteAllTextAsync(node.ClockFile, "+0")
        );
    }

    private async Task<bool> HoldFileAsync(PlannedFault planned)
    {
        await using var connection = new SqliteConnection($"Data Source={cluster.SqliteFile};Pooling=False");
        await connection.OpenAsync(CancellationToken.None);
        await using var begin = connection.CreateCommand();
        begin.CommandText = "BEGIN IMMEDIATE";
        begin.CommandTimeout = 5;
        try
        {
            await begin.ExecuteNonQueryAsync(CancellationToken.None);
        }
        catch (SqliteException)
        {
            return false; // The server was at it all the time.
        }
        await Task.Delay(planned.For, CancellationToken.None);
        return true;
    }

    /// <summary>Somebody has begun a transaction in psql, changed some rows, and gone to lunch.</summary>
    private async Task<bool> HoldRowsAsync(PlannedFault planned)
    {
        string[] tables = ["session", "run", "agent_trigger", "delivery", "agent", "webhook_endpoint"];
        await using var connection = new NpgsqlConnection(cluster.DatabaseDirectly + ";Pooling=false");
        await connection.OpenAsync(CancellationToken.None);
        await using var transaction = await connection.BeginTransactionAsync(CancellationToken.None);
        var table = tables[planned.Number % tables.Length];
        await using var hold = new NpgsqlCommand(
            $"SELECT 1 FROM {table} ORDER BY random() LIMIT 5 FOR UPDATE SKIP LOCKED",
            connection,
            transaction
        );
        await hold.ExecuteNonQueryAsync(CancellationToken.None);
        await Task.Delay(planned.For, CancellationToken.None);
        await transaction.RollbackAsync(CancellationToken.None);
        return true;
    }

    private async Task SqlAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(
            cluster.DatabaseDirectly + ";Pooling=false;Options=-c statement_timeout=0"
        );
        await connection.OpenAsync(CancellationToken.None);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(CancellationToken.None);
    }
}
