using Postern.Storage;

namespace Postern.Live;

/// <summary>The tails of this node: created for the first stream of a log, removed with the last.</summary>
internal sealed partial class Tails(Database database, TimeProvider clock, ILogger<Tails> log)
{
    private readonly Dictionary<string, Entry> _tails = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    /// <summary>Connects a stream to a log. Dispose the result to disconnect it.</summary>
    public async ValueTask<Following> FollowAsync(LogSource source, LiveStream stream)
    {
        Entry entry;
        Task started;
        lock (_gate)
        {
            if (!_tails.TryGetValue(source.Key, out entry!))
            {
                var tail = new Tail(source, clock, fault => TailFailed(log, source.Topic, fault));
                // Listen before the first read, so that no commit in between is missed.
                entry = _tails[source.Key] = new Entry(
                    source.Key,
                    tail,
                    database.Changes.Listen(source.Topic, tail.Poke, source.Row)
                );
            }
            entry.Tail.Add(stream);
            started = entry.Started;
        }
        try
        {
            await started;
        }
        catch
        {
            Leave(entry, stream);
            throw;
        }
        return new Following(this, entry, stream);
    }

    public int Count
    {
        get
        {
            lock (_gate)
                return _tails.Count;
        }
    }

    internal void Leave(Entry entry, LiveStream stream)
    {
        lock (_gate)
        {
            if (entry.Tail.Remove(stream) > 0)
                return;
            if (_tails.TryGetValue(entry.Key, out var there) && ReferenceEquals(there, entry))
                _tails.Remove(entry.Key);
        }
        entry.Listening.Dispose();
    }

    [LoggerMessage(EventId = 200, Level = LogLevel.Warning, Message = "The tail of {Topic} could not be read")]
    private static partial void TailFailed(ILogger log, string topic, Exception fault);

    internal sealed class Entry(string key, Tail tail, IDisposable listening)
    {
        private Task? _started;

        public string Key { get; } = key;

        public Tail Tail { get; } = tail;

        public IDisposable Listening { get; } = listening;

        /// <summary>Created under the lock of the tails, by the first stream.</summary>
        public Task Started => _started ??= Tail.StartAsync();
    }
}
