using Microsoft.Extensions.DependencyInjection;

namespace Postern.Support;

/// <summary>
/// One server for the whole matrix in time, with a record of all changes, and an administrator whose authority does not
/// end.
/// </summary>
internal sealed class TimeWorld : IAsyncDisposable
{
    /// <summary>The secret of the triggers and the approval service of the matrix.</summary>
    public const string Secret = "a secret of the matrix in time";

    private static string[]? _tables;
    private RecordingDatabase _recording = null!;

    public TestServer Server { get; private set; } = null!;

    public Receiver Receiver { get; private set; } = null!;

    /// <summary>A key with all rights, including those that must be given by name.</summary>
    public string Admin { get; private set; } = "";

    public string Project { get; private set; } = "";

    public T Get<T>()
        where T : notnull => Server.App.Services.GetRequiredService<T>();

    /// <summary>Every statement that was run, with the arguments of one of its runs.</summary>
    public IReadOnlyDictionary<string, object?[]> Statements => _recording.Statements;

    public static async Task<TimeWorld> StartAsync(Backend backend)
    {
        var world = new TimeWorld { Receiver = await Receiver.StartAsync() };
        world.Server = await TestServer.StartAsync(
            backend,
            // Every door and way makes its own keys.
            o => o.Quotas.Keys = 0,
            wrap: inner => world._recording = new RecordingDatabase(inner)
        );
        world.Project = await world.Server.ProjectAsync();
        world.Admin = await world.Server.KeyAsync("admin", "write:approvals", "read:approvals");
        return world;
    }

    /// <summary>
    /// Marks a moment: counts everything that is stored, and records from here on every statement that changes
    /// something.
    /// </summary>
    public async Task<long> MarkAsync()
    {
        while (true)
        {
            _recording.Written.Clear();
            // A command that recorded its statement before may commit only now. There is one writer, so this one comes
            // behind it.
            await Server.Database.WriteAsync(_ => new ValueTask<bool>(true));
            var rows = await CountAsync();
            if (_recording.Written.IsEmpty)
                return rows;
        }
    }

    /// <summary>
    /// Returns the statements that wrote since the mark, and the number of new rows. Audit rows and the time of a key's
    /// last use do not count.
    /// </summary>
    public async Task<(IReadOnlyList<string> Statements, long Rows)> WrittenSinceAsync(long mark)
    {
        var rows = await CountAsync() - mark;
        // A due delivery is sent, whoever asks for something.
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
    /// Writes that do not count: the record of the refusal, when and from where a key was used, and the node's own work
    /// (a job that waits for a place, metrics, removal of old rows).
    /// </summary>
    private static readonly string[] ByTheNodeItself =
    [
        " audit",
        "last_used_at = $3",
        "key_address",
        "UPDATE bulk_job SET lease_until",
        "INSERT INTO metric",
        "DELETE FROM removed_trigger",
        "DELETE FROM capture WHERE (project, id) IN",
        "DELETE FROM bulk_preview WHERE (project, mark) IN",
    ];

    private async Task<long> CountAsync()
    {
        // All statements are recorded on both databases. Rows are also counted where that is cheap.
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
        // Writes about the caller's refusal, and the node's own.
        var counted = _tables
            .Where(t =>
                t
                    is not (
                        "audit"
                        or "key_address"
                        or "metric"
                        or "bulk_preview"
                        or "node"
                        or "hint_log"
                        or "removed_trigger"
                    )
            )
            .Select(t =>
                t == "capture"
                    ? "(SELECT COUNT(*) FROM capture WHERE trigger_uid IN (SELECT uid FROM agent_trigger))"
                    : $"(SELECT COUNT(*) FROM {t})"
            );
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
