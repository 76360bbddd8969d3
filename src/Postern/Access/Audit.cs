using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;
using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>One audit row: what happened, with which credential, by whom, on which route, from where. Never a secret.</summary>
internal sealed record AuditRow(string Project, string Action, string? Credential = null, string? Actor = null, string? Route = null, string? Address = null, string? Reason = null);

/// <summary>
/// The audit. A change writes its row in its own transaction (<see cref="WriteAsync"/>). Refusals are gathered and written in
/// batches beside the requests: their number is bounded by the failure limit, the queue by <see cref="MaxQueued"/>; what does not
/// fit, or cannot be written while the database is away, is counted in the log. Kept for <c>Postern:Retention:AuditDays</c>.
/// </summary>
internal sealed class Audit(Database database, TimeProvider clock, ILogger<Audit> log) : BackgroundService
{
    /// <summary>Refusals belong to no project that was proved: they are kept under this one, readable by the default project's admin.</summary>
    public const string NoProject = "-";

    private const int MaxQueued = 10_000;
    private readonly Channel<(AuditRow Row, long At)> _queue = Channel.CreateBounded<(AuditRow, long)>(new BoundedChannelOptions(MaxQueued) { FullMode = BoundedChannelFullMode.DropWrite });

    public static async ValueTask WriteAsync(Tx tx, AuditRow row, TimeProvider clock) => await InsertAsync(tx, row, tx.Now, clock);

    public void Refused(HttpContext http, Door door, string reason, string? keyId, string address) =>
        Queue(new AuditRow(NoProject, "credential.refused", Door.Words(door.Opens), keyId, Route(http, door), address, reason));

    public void Forbidden(HttpContext http, Door door, ProjectCaller caller, string address) =>
        Queue(new AuditRow(caller.Project, "scope.refused", caller.Authority.Credential, caller.Authority.LoggedActor, Route(http, door), address, door.Rule.Words));

    public void ExposedInUrl(HttpContext http, string? keyId, string address) =>
        Queue(new AuditRow(NoProject, "key.exposed", "key", keyId, http.Request.Method, address, "credential_in_url"));

    /// <summary>What callers choose, as a short digest.</summary>
    public static string Hashed(string chosen) => "h:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(chosen)).AsSpan(0, 8));

    public ValueTask<List<AuditView>> ListAsync(string project, bool withRefusals, Cursor? after, int limit) =>
        database.ReadAsync(tx => tx.ListAsync(
            """
            SELECT id, at, action, credential, actor, route, address, reason FROM audit
            WHERE (project = $1 OR project = $2) AND id < $3 ORDER BY id DESC LIMIT $4
            """,
            r => new AuditView(r.GetString(0), Wire.Iso(r.GetInt64(1)), r.GetString(2), r.TextOrNull(3), r.TextOrNull(4), r.TextOrNull(5), r.TextOrNull(6), r.TextOrNull(7)),
            project, withRefusals ? NoProject : project, after?.Id ?? "~", limit));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var batch = new List<(AuditRow Row, long At)>();
        while (await _queue.Reader.WaitToReadAsync(CancellationToken.None))
        {
            batch.Clear();
            while (batch.Count < 500 && _queue.Reader.TryRead(out var row)) batch.Add(row);
            try
            {
                await database.WriteAsync(async tx =>
                {
                    foreach (var (row, at) in batch) await InsertAsync(tx, row, at, clock);
                    return 0;
                }, CancellationToken.None);
            }
            catch (Exception fault) when (fault is not OutOfMemoryException)
            {
                AccessLog.AuditWaits(log, fault.Message, batch.Count);
            }
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _queue.Writer.TryComplete();
        if (ExecuteTask is { } task) await task.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.StopAsync(cancellationToken);
    }

    private static async ValueTask InsertAsync(Tx tx, AuditRow row, long at, TimeProvider clock) =>
        await tx.ExecuteAsync(
            "INSERT INTO audit (project, id, at, action, credential, actor, route, address, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            row.Project, Id.New("aud", clock), at, row.Action, row.Credential, row.Actor, row.Route, row.Address, row.Reason);

    private void Queue(AuditRow row) => _queue.Writer.TryWrite((row, database.Now));

    /// <summary>The pattern, never the path: a path may hold what a caller chose.</summary>
    private static string Route(HttpContext http, Door door) => http.Request.Method + " " + door.Path;
}

/// <summary>An audit row as it is read.</summary>
internal sealed record AuditView(string Id, string At, string Action, string? Credential, string? Actor, string? Route, string? Address, string? Reason);
