using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;
using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// The audit. A change writes its row in its own transaction (<see cref="WriteAsync(Tx, AuditRow)"/>). Refusals are
/// gathered and written in batches beside the requests: what is the same from one address within a minute is counted
/// into one row, of at most <see cref="MaxDistinct"/> kinds; what does not fit the queue, or cannot be written while
/// the database is away, is counted in the log. Kept for <c>Postern:Retention:AuditDays</c>.
/// </summary>
internal sealed class Audit(Database database, TimeProvider clock, ILogger<Audit> log) : BackgroundService
{
    /// <summary>
    /// Refusals belong to no project that was proved: they are kept under this one, readable by the default project's
    /// admin.
    /// </summary>
    public const string NoProject = "-";

    /// <summary>Kinds of refusal in a minute that get rows of their own; the rest of that minute share one.</summary>
    public const int MaxDistinct = 2_000;
    private const int MaxQueued = 10_000;
    private const long Minute = 60_000_000;
    private static readonly TimeSpan SettleEvery = TimeSpan.FromSeconds(5);
    private readonly Channel<Counted> _queue = Channel.CreateBounded<Counted>(
        new BoundedChannelOptions(MaxQueued) { FullMode = BoundedChannelFullMode.Wait }
    );
    private readonly ConcurrentDictionary<AuditRow, Counted> _counting = new();
    private long _lost;

    public static async ValueTask WriteAsync(Tx tx, AuditRow row) => await InsertAsync(tx, row, tx.Now);

    public void Refused(HttpContext http, Door door, string reason, string? keyId, string address) =>
        Queue(
            new AuditRow(
                NoProject,
                "credential.refused",
                Door.Words(door.Credentials),
                keyId,
                Route(http, door),
                address,
                reason
            )
        );

    /// <param name="why">What was asked for and refused; null for what the door asks.</param>
    public void Forbidden(HttpContext http, Door door, ProjectCaller caller, string address, string? why = null) =>
        Queue(
            new AuditRow(
                caller.Project,
                "scope.refused",
                caller.Authority.Credential,
                caller.Authority.LoggedActor,
                Route(http, door),
                address,
                why ?? door.Authorization.Words
            )
        );

    /// <summary>A change that was made through a door: on disk before the change is answered.</summary>
    public async Task ChangedAsync(HttpContext http, Door door, ProjectCaller caller, string action, string address)
    {
        // The change is made: its row is written whether its client is there still or not.
        StorageUse.Begin(StorageUse.Current.Outliving);
        var named = string.Join('/', http.Request.RouteValues.Values.OfType<string>());
        var row = new AuditRow(
            caller.Project,
            action,
            caller.Authority.Credential,
            caller.Authority.LoggedActor,
            Route(http, door),
            address,
            named.Length == 0 ? null : Wire.Cut(named, 500)
        );
        await database.WriteAsync(async tx =>
        {
            await InsertAsync(tx, row, tx.Now);
            return 0;
        });
    }

    public void ExposedInUrl(HttpContext http, string? keyId, string address) =>
        Queue(new AuditRow(NoProject, "key.exposed", "key", keyId, http.Request.Method, address, "credential_in_url"));

    /// <summary>What callers choose, as a short digest.</summary>
    public static string Hashed(string chosen) =>
        "h:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(chosen)).AsSpan(0, 8));

    public ValueTask<List<AuditView>> ListAsync(string project, bool withRefusals, Cursor? after, int limit) =>
        database.SearchAsync(tx =>
            tx.ListAsync(
                """
                SELECT id, at, action, credential, actor, route, address, reason, times FROM audit
                WHERE (project = $1 OR project = $2) AND id < $3 ORDER BY id DESC LIMIT $4
                """,
                r => new AuditView(
                    r.GetString(0),
                    Wire.Iso(r.GetInt64(1)),
                    r.GetString(2),
                    r.TextOrNull(3),
                    r.TextOrNull(4),
                    r.TextOrNull(5),
                    r.TextOrNull(6),
                    r.TextOrNull(7),
                    r.GetInt64(8)
                ),
                project,
                withRefusals ? NoProject : project,
                after?.Id ?? "~",
                limit
            )
        );

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var batch = new List<Counted>();
        while (true)
        {
            batch.Clear();
            var open = await WaitAsync();
            while (batch.Count < 500 && _queue.Reader.TryRead(out var row))
                batch.Add(row);
            Settle(batch, all: !open);
            try
            {
                if (batch.Count > 0)
                    await database.WriteAsync(tx => WriteAsync(tx, batch), CancellationToken.None);
                if (Interlocked.Exchange(ref _lost, 0) is > 0 and var lost)
                    AccessLog.AuditWaits(log, "more come than can be written", (int)lost);
            }
            catch (Exception fault) when (fault is not OutOfMemoryException)
            {
                AccessLog.AuditWaits(log, fault.Message, batch.Count);
            }
            if (!open && batch.Count == 0)
                return;
        }
    }

    /// <summary>Until there is something to write, or to settle; false once the queue is closed and empty.</summary>
    private async Task<bool> WaitAsync()
    {
        using var until = new CancellationTokenSource(SettleEvery, clock);
        try
        {
            return await _queue.Reader.WaitToReadAsync(until.Token);
        }
        catch (OperationCanceledException)
        {
            return true;
        }
    }

    /// <summary>Rows whose minute is over: what was counted beside the first is written to them.</summary>
    private void Settle(List<Counted> batch, bool all)
    {
        var now = database.Now;
        foreach (var (key, row) in _counting)
        {
            if (!all && now - row.At < Minute)
                continue;
            _counting.TryRemove(key, out _);
            if (row.Times > 1)
                batch.Add(row);
        }
    }

    private static async ValueTask<int> WriteAsync(Tx tx, List<Counted> batch)
    {
        foreach (var counted in batch)
        {
            var row = counted.Row;
            await tx.ExecuteAsync(
                """
                INSERT INTO audit (project, id, at, action, credential, actor, route, address, reason, times)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                ON CONFLICT (project, id) DO UPDATE SET times = excluded.times
                """,
                row.Project,
                counted.Id,
                counted.At,
                row.Action,
                row.Credential,
                row.Actor,
                row.Route,
                row.Address,
                row.Reason,
                counted.Times
            );
        }
        return batch.Count;
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _queue.Writer.TryComplete();
        if (ExecuteTask is { } task)
            await task.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.StopAsync(cancellationToken);
    }

    private static async ValueTask InsertAsync(Tx tx, AuditRow row, long at) =>
        await tx.ExecuteAsync(
            """
            INSERT INTO audit (project, id, at, action, credential, actor, route, address, reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            row.Project,
            Id.New("aud", tx.Now),
            at,
            row.Action,
            row.Credential,
            row.Actor,
            row.Route,
            row.Address,
            row.Reason
        );

    private void Queue(AuditRow row)
    {
        // What a stranger chooses (the route, the id that a key claims) makes no row of its own: the first of the
        // minute is shown.
        var key = row.Project == NoProject ? row with { Actor = null, Route = null } : row;
        if (_counting.Count >= MaxDistinct && !_counting.ContainsKey(key))
            key = row = new AuditRow(NoProject, row.Action, Reason: "many");
        var fresh = new Counted(row, Id.New("aud", database.Now), database.Now);
        var counted = _counting.GetOrAdd(key, fresh);
        if (!ReferenceEquals(counted, fresh))
            counted.Again();
        else if (!_queue.Writer.TryWrite(fresh))
            Interlocked.Increment(ref _lost);
    }

    /// <summary>A row, and how often the same was said within its minute.</summary>
    private sealed class Counted(AuditRow row, string id, long at)
    {
        private long _times = 1;

        public AuditRow Row => row;

        public string Id => id;

        public long At => at;

        public long Times => Interlocked.Read(ref _times);

        public void Again() => Interlocked.Increment(ref _times);
    }

    /// <summary>The pattern, never the path: a path may hold what a caller chose.</summary>
    private static string Route(HttpContext http, Door door) => http.Request.Method + " " + door.Path;
}
