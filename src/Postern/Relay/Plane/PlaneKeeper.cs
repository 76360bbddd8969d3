using System.Collections.Concurrent;
using Postern.Approvals;
using Postern.Settings;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Relay.Plane;

/// <summary>
/// Keeps a connection to each joined relay. It looks for relays now and then, and at once when one was joined or left,
/// on whatever node or by whatever command. It also tells relays when the list of doors has changed.
/// </summary>
internal sealed class PlaneKeeper : SignalledPollingLoop
{
    private static readonly TimeSpan DoorsEvery = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<string, PlaneLink> _links = new(StringComparer.Ordinal);
    private readonly PlaneParts _parts;
    private readonly PosternOptions _options;
    private readonly RelayedTriggers _triggers;
    private readonly ServerAddress _address;
    private readonly ApprovalLinks _people;
    private readonly PlaneMemory _memory;
    private readonly PlaneNodes _nodes;
    private readonly AsyncSignal _doors = new();
    private Task _telling = Task.CompletedTask;
    private string? _version;

    public PlaneKeeper(
        PlaneParts parts,
        PosternOptions options,
        RelayedTriggers triggers,
        ServerAddress address,
        ApprovalLinks people,
        PlaneWitness witness,
        ILogger<PlaneKeeper> log
    )
        : base(parts.Database, PlaneStore.Topic, parts.Time, log)
    {
        (_parts, _options, _triggers, _address, _people) = (parts, options, triggers, address, people);
        (_memory, _nodes) = witness;
    }

    /// <summary>On PostgreSQL commands tell of what they do; beside the embedded file they cannot.</summary>
    protected override TimeSpan NextPoll => Database.IsEmbedded ? PollInterval : TimeSpan.FromSeconds(5);

    /// <summary>The connections of this node.</summary>
    public IReadOnlyCollection<PlaneLink> Links => [.. _links.Values];

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await base.StartAsync(cancellationToken);
        _telling = TellDoorsAsync();
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        _doors.Set();
        await _telling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_links.Values.Select(link => link.StopAsync()));
        _links.Clear();
        await _nodes.EndAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    protected override async Task<bool> PollAsync(CancellationToken stop)
    {
        await _nodes.SayAsync(Links);
        var version = await _parts.Store.VersionAsync();
        if (version == _version)
            return false;
        var joined = await _parts.Store.ListAsync();
        _memory.Is(joined);
        _triggers.MayBeHeldFor(joined.Select(p => p.HeldFor).DefaultIfEmpty(0).Max());
        _address.IsRelayedAt(joined.FirstOrDefault()?.Url);
        var open = joined.FirstOrDefault(p => p.Standing == JoinedPlane.Joined);
        _people.AreAt(open?.Server, open?.Plane);
        foreach (var (relay, link) in _links)
            if (joined.FirstOrDefault(p => p.Relay == relay)?.Version != link.Plane.Version)
            {
                _links.TryRemove(relay, out _);
                await link.StopAsync();
            }
        foreach (var plane in joined)
            if (!_links.ContainsKey(plane.Relay))
            {
                var link = new PlaneLink(plane, _parts, _options, _nodes.Own, Log);
                _links[plane.Relay] = link;
                link.Start();
            }
        _version = version;
        return false;
    }

    /// <summary>Runs at once when a trigger or a service was changed, and now and then.</summary>
    private async Task TellDoorsAsync()
    {
        using var triggers = Database.Changes.Listen(Topics.Doors, _doors.Set);
        using var access = Database.Changes.Listen(Topics.Access, _doors.Set);
        var stop = ExecuteTask!;
        while (!stop.IsCompleted)
        {
            await Task.WhenAny(stop, _doors.WaitAsync(DoorsEvery, _parts.Time, CancellationToken.None));
            if (stop.IsCompleted)
                return;
            foreach (var link in _links.Values)
            {
                try
                {
                    await link.TellDoorsAsync();
                }
                catch (Exception fault)
                {
                    // The next connection sends the list.
                    PollLog.OneFailed(Log, link.Plane.Relay, fault);
                }
            }
        }
    }
}
