using Postern.Storage;

namespace Postern.Live;

/// <summary>A piece of a log as it goes out: the entries from <see cref="Start"/> up to, not with, <see cref="End"/>, rendered once for all streams.</summary>
/// <param name="Start">Number of the first entry.</param>
/// <param name="End">One past the last.</param>
/// <param name="Bytes">May be empty: the entries are of no interest to this kind of stream.</param>
/// <param name="Entry">The entry itself, where a stream renders it in a way of its own.</param>
internal sealed record Frame(long Start, long End, ReadOnlyMemory<byte> Bytes, object? Entry = null);

/// <summary>What a source has after a number: frames in order, and the reason that no more will follow, if so.</summary>
internal readonly record struct Batch(IReadOnlyList<Frame> Frames, string? Ended);

/// <summary>A log that can be followed: its store is the truth, and it is asked again whenever the topic is touched.</summary>
/// <param name="Key">One tail a key on this node.</param>
/// <param name="Topic">What commits announce.</param>
/// <param name="NextAsync">The number that the next entry will get.</param>
/// <param name="ReadAsync">The entries from a number on, rendered; bounded in count and bytes.</param>
/// <param name="Row">The row that every new entry changes.</param>
internal sealed record LogSource(
    string Key, string Topic, Func<ValueTask<long>> NextAsync, Func<long, ValueTask<Batch>> ReadAsync, WatchedRow? Row = null);

/// <summary>
/// The live end of one log in this process. A commit wakes it; it reads what is new from the store once, renders it once, and
/// wakes its streams, which take the same bytes. It keeps the last few frames; a stream that is further behind reads the store by
/// itself and joins again, so a slow stream costs neither memory nor the others' time, and nothing is missed or repeated.
/// </summary>
internal sealed class Tail
{
    private const int KeptFrames = 256;
    private const int KeptBytes = 256 * 1024;

    /// <summary>Between two tries to read a log that cannot be read.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    private readonly LogSource _source;
    private readonly TimeProvider _clock;
    private readonly Action<Exception> _failed;
    private readonly Lock _gate = new();
    private readonly Queue<Frame> _frames = new();
    private readonly HashSet<LiveStream> _streams = [];
    private int _keptBytes;
    private long _next;

    /// <summary>One from the beginning: until <see cref="StartAsync"/> knows where the log ends, pokes are remembered and nothing is read.</summary>
    private int _pokes = 1;
    private string? _ended;

    /// <summary>A log that cannot be read is said once, until it can.</summary>
    private bool _isFailing;

    public Tail(LogSource source, TimeProvider clock, Action<Exception> failed)
    {
        (_source, _clock, _failed) = (source, clock, failed);
    }

    /// <summary>The number that follows the last frame.</summary>
    public long Next
    {
        get { lock (_gate) return _next; }
    }

    /// <summary>After the topic is being listened to: whatever is committed from here on is poked.</summary>
    public async Task StartAsync()
    {
        var next = await _source.NextAsync();
        lock (_gate) _next = next;
        ReadElsewhere();
    }

    public void Add(LiveStream stream)
    {
        lock (_gate) _streams.Add(stream);
    }

    public int Remove(LiveStream stream)
    {
        lock (_gate)
        {
            _streams.Remove(stream);
            return _streams.Count;
        }
    }

    /// <summary>
    /// The frame that begins at a number. Null: there is none yet; or (<paramref name="behind"/>) it is no longer kept;
    /// or (<paramref name="ended"/>) there will never be one, for this reason. All three are of one moment: a last frame
    /// is never passed over because the log has ended behind it.
    /// </summary>
    public Frame? Find(long cursor, out bool behind, out string? ended)
    {
        lock (_gate)
        {
            (behind, ended) = (false, null);
            if (cursor >= _next)
            {
                ended = _ended;
                return null;
            }
            foreach (var frame in _frames) if (frame.Start == cursor) return frame;
            behind = true;
            return null;
        }
    }

    /// <summary>Something may be new. Any number of pokes while it reads make it read once more.</summary>
    public void Poke()
    {
        if (Interlocked.Increment(ref _pokes) == 1) ReadElsewhere();
    }

    /// <summary>Not on the thread that pokes: it has others to tell, and a read may run to its end where it begins.</summary>
    private void ReadElsewhere() => ThreadPool.UnsafeQueueUserWorkItem(static tail => _ = tail.ReadAsync(), this, preferLocal: false);

    private async Task ReadAsync()
    {
        int seen;
        do
        {
            seen = Volatile.Read(ref _pokes);
            try
            {
                while (true)
                {
                    var batch = await _source.ReadAsync(Next);
                    if (batch.Frames.Count > 0 || batch.Ended is not null) Take(batch);
                    if (batch.Frames.Count == 0) break;
                }
            }
            catch (Exception fault)
            {
                if (!_isFailing) _failed(fault);
                _isFailing = true;
                // Nothing else would tell of what is there already.
                await Task.Delay(Rest, _clock);
                if (HasStreams) Interlocked.Increment(ref _pokes);
                continue;
            }
            _isFailing = false;
        }
        while (Interlocked.CompareExchange(ref _pokes, 0, seen) != seen);
    }

    private bool HasStreams
    {
        get { lock (_gate) return _streams.Count > 0; }
    }

    private void Take(Batch batch)
    {
        LiveStream[] streams;
        lock (_gate)
        {
            foreach (var frame in batch.Frames)
            {
                _frames.Enqueue(frame);
                _keptBytes += frame.Bytes.Length;
                _next = frame.End;
            }
            while (_frames.Count > 1 && (_frames.Count > KeptFrames || _keptBytes > KeptBytes)) _keptBytes -= _frames.Dequeue().Bytes.Length;
            _ended = batch.Ended ?? _ended;
            streams = [.. _streams];
        }
        foreach (var stream in streams) stream.Wake();
    }
}

/// <summary>The tails of this node: made for the first stream of a log, gone with the last.</summary>
internal sealed partial class Tails(Database database, TimeProvider clock, ILogger<Tails> log)
{
    private readonly Dictionary<string, Entry> _tails = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    /// <summary>Joins a stream to a log. Dispose the answer to leave it.</summary>
    public async ValueTask<Following> FollowAsync(LogSource source, LiveStream stream)
    {
        Entry entry;
        Task started;
        lock (_gate)
        {
            if (!_tails.TryGetValue(source.Key, out entry!))
            {
                var tail = new Tail(source, clock, fault => TailFailed(log, source.Topic, fault));
                // Listening begins before the first read: nothing that commits in between is missed.
                entry = _tails[source.Key] = new Entry(source.Key, tail, database.Changes.Listen(source.Topic, tail.Poke, source.Row));
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
        get { lock (_gate) return _tails.Count; }
    }

    internal void Leave(Entry entry, LiveStream stream)
    {
        lock (_gate)
        {
            if (entry.Tail.Remove(stream) > 0) return;
            if (_tails.TryGetValue(entry.Key, out var there) && ReferenceEquals(there, entry)) _tails.Remove(entry.Key);
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

        /// <summary>Begun under the gate of the tails, by the first stream.</summary>
        public Task Started => _started ??= Tail.StartAsync();
    }
}

/// <summary>A stream's hold on a tail. There is one an open stream: it holds no more than it needs.</summary>
internal sealed class Following(Tails tails, Tails.Entry entry, LiveStream stream) : IDisposable
{
    public Tail Tail => entry.Tail;

    public void Dispose() => tails.Leave(entry, stream);
}
