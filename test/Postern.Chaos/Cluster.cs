using Npgsql;
using Postern.Support;

namespace Postern.Chaos;

/// <summary>The nodes of a simulation and their database.</summary>
internal sealed class Cluster : IAsyncDisposable
{
    private Cluster(List<Node> nodes, string? database) => (Nodes, DatabaseDirectly) = (nodes, database);

    /// <summary>
    /// Short deadlines, so that everything that waits ends within a simulation. No rate limits, so that nothing slows
    /// the load.
    /// </summary>
    public static Dictionary<string, string> Settings { get; } =
        new()
        {
            ["POSTERN_MASTER_KEY"] = "one master key for all nodes of the simulation",
            ["POSTERN_RateLimits__ProjectBurst"] = "0",
            ["POSTERN_RateLimits__TokenBurst"] = "0",
            ["POSTERN_RateLimits__CallbackBurst"] = "0",
            ["POSTERN_RateLimits__FailuresPerMinute"] = "0",
            ["POSTERN_Log__Format"] = "json",
            ["POSTERN_Runs__IdleSeconds"] = "1",
            ["POSTERN_Runs__QueuedSeconds"] = "12",
            ["POSTERN_Runs__TurnSeconds"] = "12",
            ["POSTERN_Runs__TotalSeconds"] = "30",
            ["POSTERN_Runs__EchoDelayMilliseconds"] = "3",
            ["POSTERN_Outbound__TimeoutSeconds"] = "2",
            ["POSTERN_Deliveries__CircuitSeconds"] = "1",
            ["POSTERN_Quotas__Keys"] = "40",
            ["POSTERN_Quotas__StreamsPerToken"] = "8",
            ["POSTERN_Retention__CapturesPerTrigger"] = "100000",
            [PosternCommand.FileSizeIsAnError] = "1",
            [PosternCommand.Descriptors] = "1024",
        };

    public List<Node> Nodes { get; }

    /// <summary>The one PostgreSQL; null on SQLite and under Patroni.</summary>
    public PostgresServer? Postgres { get; private init; }

    /// <summary>Null unless PostgreSQL is one of three members.</summary>
    public PatroniCluster? Patroni { get; private init; }

    public IEnumerable<string> PostgresLogs => Patroni?.LogFiles ?? (Postgres is null ? [] : [Postgres.LogFile]);

    /// <summary>The connection string past the proxies; null on SQLite.</summary>
    public string? DatabaseDirectly { get; }

    public string SqliteFile => Path.Combine(Nodes[0].Folder, "postern.db");

    public static async Task<Cluster> StartAsync(string database, string folder, int count)
    {
        if (database == "sqlite")
        {
            var only = await Node.MakeAsync(0, folder, null, 0);
            await only.StartAsync(TimeSpan.FromSeconds(30));
            return new([only], null);
        }
        var patroni = database == "patroni" ? await PatroniCluster.StartAsync() : null;
        var postgres = patroni is null ? PostgresServer.Own() : null;
        var direct = patroni is null ? postgres!.CreateDatabase() : await patroni.CreateDatabaseAsync();
        var nodes = new List<Node>();
        for (var i = 0; i < count; i++)
        {
            nodes.Add(await Node.MakeAsync(i, folder, Behind, patroni?.Port ?? postgres!.Port));
            await nodes[i].StartAsync(TimeSpan.FromSeconds(30));
        }
        return new(nodes, direct) { Postgres = postgres, Patroni = patroni };

        string Behind(CuttingProxy proxy) =>
            new NpgsqlConnectionStringBuilder(direct) { Port = proxy.Port, Timeout = 5 }.ConnectionString;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Nodes)
            await node.DisposeAsync();
        Postgres?.Dispose();
        if (Patroni is not null)
            await Patroni.DisposeAsync();
    }
}
