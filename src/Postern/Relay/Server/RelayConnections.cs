using System.Collections.Concurrent;
using Postern.Access;
using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>The connections of planes on this node.</summary>
internal sealed partial class RelayConnections(
    Database database,
    PlaneStores stores,
    RelayIdentity identity,
    RelayAudit audit,
    PosternOptions options,
    ServerLife life,
    ILogger<RelayConnections> log
)
{
    private readonly ConcurrentDictionary<(string Plane, string Node), PlaneConnection> _polls = new();

    /// <summary>
    /// When one node polls several times at once, one of the polls begins the connection. Several names share a lock.
    /// </summary>
    private readonly SemaphoreSlim[] _turns = [.. Enumerable.Range(0, 16).Select(_ => new SemaphoreSlim(1))];
    private long _unknown;

    /// <summary>How long an envelope is kept, in microseconds.</summary>
    public long Retention => options.RelayServer.RetentionHours * 3_600_000_000L;

    /// <summary>Counts frames of kinds that this version does not know.</summary>
    public long Unknown => Interlocked.Read(ref _unknown);

    /// <summary>Runs a connection until it ends, if it is admitted.</summary>
    public async Task<Admission> RunAsync(PlaneCaller caller, PlaneLink link, string address)
    {
        var (admission, connection) = await BeginAsync(caller, link, address);
        if (connection is not null)
            await connection.RunAsync(caller.Plane, caller.Asked.Nonce);
        return admission;
    }

    /// <summary>
    /// Returns the connection for a node that polls. It begins with the first poll. Returns null when it is not
    /// admitted.
    /// </summary>
    public async Task<(Admission Admission, PollLink? Link)> PollAsync(PlaneCaller caller, string address)
    {
        if (Polled(caller) is { HasEnded: false } there)
            return (Admission.In, there);
        var turn = _turns[(uint)HashCode.Combine(caller.Plane.Plane, caller.Asked.Node) % _turns.Length];
        await turn.WaitAsync();
        try
        {
            return Polled(caller) is { HasEnded: false } begun
                ? (Admission.In, begun)
                : await BeginPollAsync(caller, address);
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task<(Admission, PollLink?)> BeginPollAsync(PlaneCaller caller, string address)
    {
        var key = (caller.Plane.Plane, caller.Asked.Node);
        var link = new PollLink(life.Clock);
        var (admission, connection) = await BeginAsync(caller, link, address);
        if (connection is null)
            return (admission, null);
        _polls[key] = connection;
        _ = RunPolledAsync(key, connection, caller);
        return (admission, link);
    }

    /// <summary>
    /// Returns whether a node polls at another node of this relay. Then this request came to the wrong one.
    /// </summary>
    public async ValueTask<bool> IsElsewhereAsync(PlaneCaller caller) =>
        Polled(caller) is null && await stores.Connections.IsPolledAsync(caller.Plane.Plane, caller.Asked.Node);

    /// <summary>Returns the connection for a node that is polling now.</summary>
    public PollLink? Polled(PlaneCaller caller) =>
        _polls.TryGetValue((caller.Plane.Plane, caller.Asked.Node), out var there) ? there.Link as PollLink : null;

    /// <summary>A frame that was malformed or signed by another key. It is written to the audit.</summary>
    public ValueTask RefusedAsync(ConnectionRow row, string why) => audit.RefusedAsync(row, why);

    public async Task EndAsync(ConnectionRow row)
    {
        try
        {
            await stores.Connections.RemoveAsync(row.Plane, row.Connection);
        }
        catch (StorageUnavailableException)
        {
            // Nothing is released here: the lease and the row expire.
        }
        catch (Exception fault)
        {
            // They expire after this too, and a person should know.
            Failed(row, fault);
        }
    }

    public bool PassOver(string kind)
    {
        Interlocked.Increment(ref _unknown);
        UnknownFrame(log, Audit.Hashed(kind));
        return true;
    }

    public void Failed(ConnectionRow row, Exception fault) => ConnectionFailed(log, row.Connection, fault);

    private async Task<(Admission, PlaneConnection?)> BeginAsync(PlaneCaller caller, PlaneLink link, string address)
    {
        var row = new ConnectionRow(
            caller.Plane.Plane,
            Id.New("con", database.Now),
            caller.Asked.Node,
            address,
            link.Transport,
            database.Now
        );
        var admission = await stores.Connections.AddAsync(row);
        if (admission != Admission.In)
            return (admission, null);
        await audit.ConnectedAsync(row);
        return (admission, new PlaneConnection(row, link, stores, identity, database, life, this));
    }

    private async Task RunPolledAsync((string Plane, string Node) key, PlaneConnection connection, PlaneCaller caller)
    {
        try
        {
            await connection.RunAsync(caller.Plane, caller.Asked.Nonce);
        }
        catch (Exception fault)
        {
            ConnectionFailed(log, caller.Plane.Plane, fault);
        }
        finally
        {
            _polls.TryRemove(KeyValuePair.Create(key, connection));
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "a connection ended by a fault: {Connection}")]
    private static partial void ConnectionFailed(ILogger log, string connection, Exception fault);

    [LoggerMessage(Level = LogLevel.Information, Message = "a plane sent a frame of an unknown kind: {Kind}")]
    private static partial void UnknownFrame(ILogger log, string kind);
}
