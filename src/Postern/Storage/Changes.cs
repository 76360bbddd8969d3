using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;

namespace Postern.Storage;

/// <summary>
/// Tells listeners in this process that a topic changed. An announcement is only a hint. The listener reads the truth
/// from the database by a cursor, and also polls now and then without a hint.
///
/// Listeners run on the thread pool, after the commit was answered. A listener that throws is logged; it affects
/// neither the commit nor another listener.
/// </summary>
internal sealed class Changes
{
    private readonly ConcurrentDictionary<string, Listener[]> _listeners = new(StringComparer.Ordinal);
    private Action<IReadOnlyCollection<string>>? _relay;

    /// <summary>
    /// The log for faults of listeners and of the loops that tell and hear. It is set once there is a log.
    /// </summary>
    internal ILogger Log { get; set; } = NullLogger.Instance;

    /// <summary>Number of topics that somebody listens to.</summary>
    internal int Count => _listeners.Count;

    /// <summary>
    /// Called with the topics that this node committed. Set once by the database that tells the other nodes.
    /// </summary>
    internal void RelayTo(Action<IReadOnlyCollection<string>> relay) => _relay = relay;

    /// <param name="topic">What commits announce.</param>
    /// <param name="heard">Called at each announcement, on the pool.</param>
    /// <param name="row">
    /// The row that all such commits change: it is read now and then, together with many others, in case a hint
    /// was lost. Without one the listener polls by itself.</param>
    public IDisposable Listen(string topic, Action heard, WatchedRow? row = null) =>
        Add(topic, new Listener(topic, heard, false, row, Call));

    /// <summary>
    /// Adds a listener that must know of a commit before the commit is answered. It runs on the committing thread, so
    /// it may only remember that it was told.
    /// </summary>
    public IDisposable Mark(string topic, Action mark, WatchedRow? row = null) =>
        Add(topic, new Listener(topic, mark, true, row, Call));

    /// <summary>Calls the listeners of a commit made here, before it is answered.</summary>
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
    /// Announces a commit made here to this process, and through the relay to the others, without blocking the caller's
    /// thread.
    /// </summary>
    internal void Committed(IReadOnlyCollection<string> topics)
    {
        if (topics.Count == 0)
            return;
        ThreadPool.UnsafeQueueUserWorkItem(
            static told =>
            {
                // A batch touches a topic once for each command, and announces it once.
                IReadOnlyCollection<string> topics =
                    told.topics.Count == 1 ? told.topics : new HashSet<string>(told.topics, StringComparer.Ordinal);
                told.changes.Tell(topics, marks: false);
                told.changes.Relay(topics);
            },
            (changes: this, topics),
            preferLocal: false
        );
    }

    /// <summary>Announces a commit made elsewhere, in this process only.</summary>
    internal void Heard(IReadOnlyCollection<string> topics) => Tell(topics, marks: true);

    /// <summary>
    /// Hints may have been lost: calls all listeners that have no row to check (<see cref="Watched"/>).
    /// </summary>
    internal void HeardEverything()
    {
        foreach (var (topic, listeners) in _listeners)
        foreach (var listener in listeners)
            if (listener.Watches is null)
                Call(topic, listener);
    }

    /// <summary>Returns the listeners that watch a row of a kind.</summary>
    internal IEnumerable<IWatched> Watched(WatchedKind kind) =>
        _listeners.Values.SelectMany(listeners => listeners).Where(listener => listener.Watches?.Kind == kind);

    /// <summary>A listener that watches a row.</summary>
    internal interface IWatched
    {
        WatchedRow Row { get; }

        /// <summary>
        /// Compares the row with the last time, and calls the listener when it differs or was never read.
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
