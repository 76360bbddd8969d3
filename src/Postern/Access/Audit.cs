using System.Security.Cryptography;
using System.Text;
using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// The audit. A change writes its row in its own transaction (<see cref="Write"/>). Refusals are counted
/// (<see cref="RefusalCounts"/>) and written in batches, outside of the requests. While the database cannot be reached
/// they wait, up to a limit. Each refused request gets the id of its row (<see cref="RefusalId"/>). Rows are kept for
/// <c>Postern:Retention:AuditDays</c>.
/// </summary>
internal sealed class Audit(Database database, TimeProvider clock, ILogger<Audit> log) : BackgroundService
{
    /// <summary>
    /// A refused credential proves no project. Such refusals are kept under this name, for administrators of the
    /// default project.
    /// </summary>
    public const string NoProject = "-";

    public const string CredentialRefused = "credential.refused";
    public const string ScopeRefused = "scope.refused";

    /// <summary>Too fast, or over a quota.</summary>
    public const string RateRefused = "rate.refused";

    /// <summary>At the URL of a trigger that exists.</summary>
    public const string InboundRefused = "inbound.refused";

    /// <summary>The authority that the stream was opened with.</summary>
    public const string StreamEnded = "stream.ended";

    private static readonly TimeSpan SettleEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(1);
    private readonly RefusalCounts _counts = new();
    private readonly AsyncSignal _due = new();
    private readonly SemaphoreSlim _writing = new(1, 1);

    public static void Write(Tx tx, AuditRow row) => Insert(tx, row, Id.New("aud", tx.Now), tx.Now, 1);

    /// <summary>A refused credential.</summary>
    /// <param name="reason">As exact as it is known.</param>
    /// <param name="keyId">The key, where it was the key's own text; never one that was only claimed.</param>
    /// <param name="told">What the answer shows of the reason; null: all of it.</param>
    public void Refused(HttpContext http, Door door, string reason, string? keyId, string address, string? told = null)
    {
        var row = new AuditRow(
            NoProject,
            CredentialRefused,
            Door.NamesOf(door.Credentials),
            keyId,
            Route(http, door),
            address,
            reason
        );
        // Values that a stranger chooses (the route, the subject of a token) do not make a row of their own; the row
        // shows the first of the minute.
        var isKey = keyId?.StartsWith("key_", StringComparison.Ordinal) == true;
        var kind = row with { Actor = isKey ? keyId : null, Route = null };
        Count(http, row, kind, kind with { Actor = null, Reason = told ?? reason });
    }

    /// <summary>A request that a trigger's URL refused.</summary>
    /// <param name="reason">As exact as it is known; of <c>signed_412_s_ago</c> the seconds make no kind.</param>
    public void InboundTurnedAway(
        HttpContext http,
        Door door,
        AuditTrigger trigger,
        string reason,
        string address,
        int status
    )
    {
        var row = new AuditRow(
            trigger.Project,
            InboundRefused,
            Door.NamesOf(door.Credentials),
            null,
            Route(http, door),
            address,
            reason,
            trigger
        );
        var coarse = reason.StartsWith("signed_", StringComparison.Ordinal) ? "signed_" + reason[^3..] : reason;
        var kind = row with { Route = null, Reason = coarse };
        // The sender cannot tell a wrong proof from a missing or an old one.
        Count(http, row, kind, status == 401 ? kind with { Reason = "401" } : kind);
    }

    /// <param name="why">What was asked for and refused; null for what the door asks.</param>
    public void Forbidden(HttpContext http, Door door, ProjectCaller caller, string address, string? why = null) =>
        OfCaller(http, door, caller, ScopeRefused, address, why ?? door.Authorization.Description);

    /// <summary>Too fast, or over a quota.</summary>
    /// <param name="caller">Null where none was proved.</param>
    public void Limited(HttpContext http, Door door, ProjectCaller? caller, string address, string reason)
    {
        if (caller is not null)
        {
            OfCaller(http, door, caller, RateRefused, address, reason);
            return;
        }
        var row = new AuditRow(
            NoProject,
            RateRefused,
            Door.NamesOf(door.Credentials),
            null,
            Route(http, door),
            address,
            reason
        );
        Count(http, row, row with { Route = null, Credential = null });
    }

    private void OfCaller(
        HttpContext http,
        Door door,
        ProjectCaller caller,
        string action,
        string address,
        string reason
    )
    {
        var (credential, actor) = (caller.Authority.Credential, caller.Authority.LoggedActor);
        Count(
            http,
            new AuditRow(caller.Project, action, credential, actor, Route(http, door), address, Wire.Cut(reason, 500))
        );
    }

    /// <summary>
    /// An event that is no change and may come often. It is counted within its minute, and written outside of the
    /// requests.
    /// </summary>
    public void Note(AuditRow row)
    {
        var now = database.Now;
        if (_counts.Add(row, row, row, now, () => Id.New("aud", now)).IsNew)
            _due.Set();
    }

    /// <summary>A stream that ended because its authority was revoked or narrowed.</summary>
    public void StreamWasEnded(HttpContext http, ProjectCaller caller, string reason, string address)
    {
        if (caller.Authority.Key is not { } key || http.GetEndpoint()?.Metadata.GetMetadata<Door>() is not { } door)
            return;
        var row = new AuditRow(
            caller.Project,
            StreamEnded,
            caller.Authority.Credential,
            key.Row.Id,
            Route(http, door),
            address,
            reason
        );
        Count(null, row);
    }

    /// <summary>A change made through a door. It is on disk before the change is answered.</summary>
    public async Task ChangedAsync(HttpContext http, Door door, ProjectCaller caller, string action, string address)
    {
        // The change is made, so its row is written even when its client has gone.
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
        await database.WriteAsync(tx =>
        {
            Write(tx, row);
            return new ValueTask<int>(0);
        });
    }

    public void ExposedInUrl(HttpContext http, string? keyId, string address)
    {
        var row = new AuditRow(
            NoProject,
            "key.exposed",
            "key",
            keyId,
            http.Request.Method,
            address,
            "credential_in_url"
        );
        Count(http, row, row with { Route = null });
    }

    /// <summary>A short digest of a text that a caller chose.</summary>
    public static string Hashed(string chosen) =>
        "h:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(chosen)).AsSpan(0, 8));

    /// <summary>
    /// Writes the rows that wait on this node, so that a person who has an id can find its row. When the database does
    /// not accept them now, they wait longer.
    /// </summary>
    public Task<bool> SettleAsync() => WriteDueAsync(all: false);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await _due.WaitAsync(SettleEvery, clock, stoppingToken);
                if (!await WriteDueAsync(all: false))
                    await Task.Delay(AgainAfter, clock, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await WriteDueAsync(all: true);
    }

    public override void Dispose()
    {
        _writing.Dispose();
        base.Dispose();
    }

    /// <summary>Returns false when the database did not accept it.</summary>
    private async Task<bool> WriteDueAsync(bool all)
    {
        await _writing.WaitAsync();
        try
        {
            while (_counts.Take(database.Now, all) is { Count: > 0 } batch)
            {
                await WriteAllAsync(batch);
                _counts.Written(batch);
            }
            return true;
        }
        catch (Exception fault)
        {
            AccessLog.AuditWaits(log, fault.Message);
            return false;
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>A row that cannot be written does not delay others: it is left out, and the log says so.</summary>
    private async Task WriteAllAsync(List<(CountedRefusal Refusal, long Times)> batch)
    {
        try
        {
            await database.WriteAsync(tx => WriteAsync(tx, batch), CancellationToken.None);
        }
        catch (Exception fault) when (fault is not StorageUnavailableException)
        {
            if (batch.Count == 1)
                AccessLog.AuditLost(log, batch[0].Refusal.Id, fault);
            else
                foreach (var one in batch)
                    await WriteAllAsync([one]);
        }
    }

    private static ValueTask<int> WriteAsync(Tx tx, List<(CountedRefusal Refusal, long Times)> batch)
    {
        foreach (var (refusal, times) in batch)
            Insert(tx, refusal.Row, refusal.Id, refusal.At, times);
        return new(batch.Count);
    }

    private static void Insert(Tx tx, AuditRow row, string id, long at, long times) =>
        tx.Queue(
            """
            INSERT INTO audit (project, id, at, action, credential, actor, route, address, reason, times, trigger_name,
              trigger_uid)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            ON CONFLICT (project, id) DO UPDATE SET times = excluded.times
            """,
            row.Project,
            id,
            at,
            row.Action,
            row.Credential,
            row.Actor,
            row.Route,
            row.Address,
            row.Reason,
            times,
            row.Trigger?.Name,
            row.Trigger?.Uid
        );

    private void Count(HttpContext? http, AuditRow row, AuditRow? kind = null, AuditRow? told = null)
    {
        kind ??= row;
        var now = database.Now;
        var (id, isNew) = _counts.Add(row, kind, told ?? kind, now, () => Id.New("aud", now));
        // When a request has two refusals, the first one is the reason.
        if (http is not null && http.Features.Get<RefusalId>() is null)
        {
            http.Features.Set(new RefusalId(id));
            database.Tally.Add(row.Project, RefusalTally.Of(row));
        }
        if (isNew)
            _due.Set();
    }

    /// <summary>The pattern, never the path, because a caller may have chosen parts of the path.</summary>
    private static string Route(HttpContext http, Door door) => http.Request.Method + " " + door.Path;
}
