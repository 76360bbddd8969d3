using Microsoft.Extensions.DependencyInjection;

namespace Postern.Support;

/// <summary>
/// One server for the whole matrix in time, what it knows of changes, and an administrator who stays.
/// </summary>
internal sealed class TimeWorld : IAsyncDisposable
{
    /// <summary>What triggers and the approval service of the matrix are signed with.</summary>
    public const string Secret = "a secret of the matrix in time";

    private static string[]? _tables;
    private RecordingDatabase _recording = null!;

    public TestServer Server { get; private set; } = null!;

    public Receiver Receiver { get; private set; } = null!;

    /// <summary>A key that may do everything, also what takes a name.</summary>
    public string Admin { get; private set; } = "";

    public string Project { get; private set; } = "";

    public T Get<T>()
        where T : notnull => Server.App.Services.GetRequiredService<T>();

    public static async Task<TimeWorld> StartAsync(Backend backend)
    {
        var world = new TimeWorld { Receiver = await Receiver.StartAsync() };
        world.Server = await TestServer.StartAsync(
            backend,
            // Every door and way makes keys of its own.
            o => o.Quotas.Keys = 0,
            wrap: inner => world._recording = new RecordingDatabase(inner)
        );
        world.Project = await world.Server.ProjectAsync();
        world.Admin = await world.Server.KeyAsync("admin", "write:approvals", "read:approvals");
        return world;
    }

    /// <summary>
    /// Everything that is kept, counted; and from here on every statement that changes something is seen.
    /// </summary>
    public async Task<long> MarkAsync()
    {
        var rows = await CountAsync();
        _recording.Written.Clear();
        return rows;
    }

    /// <summary>
    /// The statements that wrote since the mark, and how many more rows there are. Audit rows do not count, nor when a
    /// key was used last.
    /// </summary>
    public async Task<(IReadOnlyList<string> Statements, long Rows)> WrittenSinceAsync(long mark)
    {
        var rows = await CountAsync() - mark;
        // A delivery that has become due is sent, whoever asks for what.
        var sends = _recording.Written.Any(s =>
            s.StartsWith("UPDATE delivery SET due_at = $4, leased_at", StringComparison.Ordinal)
        );
        var written = _recording.Written.Where(s =>
            !ByTheNodeItself.Any(own => s.Contains(own, StringComparison.Ordinal))
            && !(sends && s.Contains(" delivery", StringComparison.Ordinal))
        );
        return ([.. written], sends ? 0 : rows);
    }

    /// <summary>
    /// What is said of the caller's refusal, when and from where a key was used, and what the node does by itself: it
    /// looks again at a job that waits for a place, keeps what it has counted, and removes what is old.
    /// </summary>
    private static readonly string[] ByTheNodeItself =
    [
        " audit",
        "last_used_at = $3",
        "key_address",
        "UPDATE bulk_job SET lease_until",
        "INSERT INTO metric",
        "DELETE FROM bulk_preview WHERE (project, mark) IN",
    ];

    private async Task<long> CountAsync()
    {
        // Every statement is seen on both; that no row comes by another way is counted where it costs little.
        if (Server.Database.Kind != "sqlite")
            return 0;
        _tables ??=
        [
            .. await Server.Database.ReadAsync(tx =>
                tx.ListAsync(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
                    r => r.GetString(0)
                )
            ),
        ];
        // What is said of the caller's refusal, and what the node says by itself.
        var counted = _tables
            .Where(t => t is not ("audit" or "key_address" or "metric" or "bulk_preview" or "node" or "hint_log"))
            .Select(t => $"(SELECT COUNT(*) FROM {t})");
        return await Server.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT " + string.Join(" + ", counted), r => r.GetInt64(0))
        );
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        await Receiver.DisposeAsync();
    }
}
