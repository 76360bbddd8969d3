using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;

namespace Postern.Storage;

/// <summary>
/// Who wants to know that a topic changed, in this process. An announcement is a hint and nothing more: whoever gets
/// one reads the truth from the database by a cursor, and looks by itself now and then where no hint comes.
///
/// What always holds: a listener is somebody else's code, so it is told on the thread pool, after the commit has been
/// answered, and what it throws is logged and reaches neither the commit nor another listener.
/// </summary>
internal sealed class Changes
{
    private readonly ConcurrentDictionary<string, Listener[]> _listeners = new(StringComparer.Ordinal);
    private Action<IReadOnlyCollection<string>>? _relay;

    /// <summary>
    /// Where faults of listeners, and of the loops that tell and hear, are written; set once there is a log.
    /// </summary>
    internal ILogger Log { get; set; } = NullLogger.Instance;

    /// <summary>Topics that somebody listens to.</summary>
    internal int Count => _listeners.Count;

    /// <summary>Set once by the database that tells other nodes: called with what this node committed.</summary>
    internal void RelayTo(Action<IReadOnlyCollection<string>> relay) => _relay = relay;

    /// <param name="topic">What commits announce.</param>
    /// <param name="heard">Called at each announcement, on the pool.</param>
    /// <param name="row">
    /// The row that all such commits change: it is looked at now and then, together with many others, in case a hint
    /// was lost. Without one the listener looks by itself.
    /// </param>
    public IDisposable Listen(string topic, Action heard, WatchedRow? row = null) =>
        Add(topic, new Listener(topic, heard, false, row, Call));

    /// <summary>
    /// For what must know of a commit before the commit is answered. It is told on the thread that commits, so it may
    /// do nothing but remember that it was told.
    /// </summary>
    public IDisposable Mark(string topic, Action mark, WatchedRow? row = null) =>
        Add(topic, new Listener(topic, mark, true, row, Call));

    /// <summary>Before a commit that was made here is answered.</summary>
    internal void Marked(IReadOnlyCollection<string> topics)
    {
        foreach (var topic in topics)
        {
            if (!_listeners.TryGetValue(topic, out var listeners))
                continue;
            foreach (var listener in listeners)
                if (listener.BeforeAnswer)
                    Call(topic, listener);
        }
    }

    /// <summary>
    /// Tells this process, and through the relay the others, of a commit made here; elsewhere than on the caller's
    /// thread.
    /// </summary>
    internal void Committed(IReadOnlyCollection<string> topics)
    {
        if (topics.Count == 0)
            return;
        ThreadPool.UnsafeQueueUserWorkItem(
            static told =>
            {
                // A batch touches a topic as often as it has commands about it, and announces it once.
                IReadOnlyCollection<string> topics =
                    told.topics.Count == 1 ? told.topics : new HashSet<string>(told.topics, StringComparer.Ordinal);
                told.changes.Tell(topics, marks: false);
                told.changes.Relay(topics);
            },
            (changes: this, topics),
            preferLocal: false
        );
    }

    /// <summary>Tells this process alone: of a commit made elsewhere.</summary>
    internal void Heard(IReadOnlyCollection<string> topics) => Tell(topics, marks: true);

    /// <summary>
    /// Hints may have been lost: everyone looks who has no row that is looked at for him (<see cref="Watched"/>).
    /// </summary>
    internal void HeardEverything()
    {
        foreach (var (topic, listeners) in _listeners)
        foreach (var listener in listeners)
            if (listener.Watches is null)
                Call(topic, listener);
    }

    /// <summary>The listeners that watch a row of a kind.</summary>
    internal IEnumerable<IWatched> Watched(WatchedKind kind) =>
        _listeners.Values.SelectMany(listeners => listeners).Where(listener => listener.Watches?.Kind == kind);

    /// <summary>A listener whose row is looked at for it.</summary>
    internal interface IWatched
    {
        WatchedRow Row { get; }

        /// <summary>
        /// The row was looked at: the listener is told when it is not what it was, or was never looked at.
        /// </summary>
        /// <param name="version">Stands for all that the row says.</param>
        void Seen(long version);
    }

    private void Tell(IReadOnlyCollection<string> topics, bool marks)
    {
        foreach (var topic in topics)
        {
            if (!_listeners.TryGetValue(topic, out var listeners))
                continue;
            foreach (var listener in listeners)
                if (marks || !listener.BeforeAnswer)
                    Call(topic, listener);
        }
    }

    private void Relay(IReadOnlyCollection<string> topics)
    {
        try
        {
            _relay?.Invoke(topics);
        }
        catch (Exception fault)
        {
            StorageLog.ListenerFailed(Log, "relay", fault);
        }
    }

    private void Call(string topic, Listener listener)
    {
        try
        {
            listener.Heard();
        }
        catch (Exception fault)
        {
            StorageLog.ListenerFailed(Log, topic, fault);
        }
    }

    private Subscription Add(string topic, Listener listener)
    {
        _listeners.AddOrUpdate(topic, _ => [listener], (_, old) => [.. old, listener]);
        return new Subscription(this, topic, listener);
    }

    private void Remove(string topic, Listener listener)
    {
        while (_listeners.TryGetValue(topic, out var old))
        {
            var index = Array.IndexOf(old, listener);
            if (index < 0)
                return;
            Listener[] rest = [.. old[..index], .. old[(index + 1)..]];
            if (
                rest.Length == 0
                    ? _listeners.TryRemove(new KeyValuePair<string, Listener[]>(topic, old))
                    : _listeners.TryUpdate(topic, rest, old)
            )
                return;
        }
    }

    private sealed class Listener(
        string topic,
        Action heard,
        bool beforeAnswer,
        WatchedRow? row,
        Action<string, Listener> call
    ) : IWatched
    {
        private long? _version;

        public Action Heard { get; } = heard;

        public bool BeforeAnswer { get; } = beforeAnswer;

        public WatchedRow? Watches { get; } = row;

        public WatchedRow Row => Watches!.Value;

        public void Seen(long version)
        {
            if (_version == version)
                return;
            _version = version;
            call(topic, this);
        }
    }

    private sealed class Subscription(Changes changes, string topic, Listener listener) : IDisposable
    {
        public void Dispose() => changes.Remove(topic, listener);
    }
}
