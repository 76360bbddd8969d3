namespace Postern.Live;

/// <summary>
/// The live end of one log in this process. A commit wakes it. It reads what is new from the store once, renders it
/// once, and wakes its streams, which send the same bytes. It keeps the last few frames. A stream that is further
/// behind reads the store by itself and then joins again. So a slow stream costs neither memory nor the time of others,
/// and nothing is missed or repeated.
/// </summary>
internal sealed class Tail
{
    private const int KeptFrames = 256;
    private const int KeptBytes = 256 * 1024;

    /// <summary>The pause between two tries to read a log that cannot be read.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    private readonly LogSource _source;
    private readonly TimeProvider _clock;
    private readonly Action<Exception> _failed;
    private readonly Lock _gate = new();
    private readonly Queue<Frame> _frames = new();
    private readonly HashSet<LiveStream> _streams = [];
    private int _keptBytes;
    private long _next;

    /// <summary>
    /// Makes one from the beginning. Until <see cref="StartAsync"/> knows where the log ends, pokes are remembered and
    /// nothing is read.
    /// </summary>
    private int _pokes = 1;
    private string? _ended;

    /// <summary>A log that cannot be read is reported once, until it can be read again.</summary>
    private bool _isFailing;

    public Tail(LogSource source, TimeProvider clock, Action<Exception> failed)
    {
        (_source, _clock, _failed) = (source, clock, failed);
    }

    /// <summary>The number after the last frame.</summary>
    public long Next
    {
        get
        {
            lock (_gate)
                return _next;
        }
    }

    /// <summary>Called after listening to the topic has begun: every commit from here on causes a poke.</summary>
    public async Task StartAsync()
    {
        var next = await _source.NextAsync();
        lock (_gate)
            _next = next;
        ReadElsewhere();
    }

    public void Add(LiveStream stream)
    {
        lock (_gate)
            _streams.Add(stream);
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
    /// Returns the frame that begins at a number, or null: there is none yet, or (<paramref name="behind"/>) it is no
    /// longer kept, or (<paramref name="ended"/>) there will never be one, for this reason. All three are of one
    /// moment, so the last frame is never missed because the log has ended after it.
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
            foreach (var frame in _frames)
                if (frame.Start == cursor)
                    return frame;
            behind = true;
            return null;
        }
    }

    /// <summary>
    /// Takes the next frame that is not empty, or null when there is none yet. A reader that is behind skips to the
    /// newest: for text that somebody watches while it is written, where only the committed message counts.
    /// </summary>
    /// <param name="cursor">The number that comes next; moved behind what was taken or skipped.</param>
    public ReadOnlyMemory<byte>? TakeNewest(ref long cursor)
    {
        while (true)
        {
            var frame = Find(cursor, out var behind, out _);
            if (behind)
                cursor = Next;
            else if (frame is null)
                return null;
            else
            {
                cursor = frame.End;
                if (frame.Bytes.Length > 0)
                    return frame.Bytes;
            }
        }
    }

    /// <summary>Something may be new. Several pokes during a read cause one more read.</summary>
    public void Poke()
    {
        if (Interlocked.Increment(ref _pokes) == 1)
            ReadElsewhere();
    }

    /// <summary>Not on the poking thread, which has others to tell; a read may complete synchronously.</summary>
    private void ReadElsewhere() =>
        ThreadPool.UnsafeQueueUserWorkItem(static tail => _ = tail.ReadAsync(), this, preferLocal: false);

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
                    if (batch.Frames.Count > 0 || batch.Ended is not null)
                        Take(batch);
                    if (batch.Frames.Count == 0)
                        break;
                }
            }
            catch (Exception fault)
            {
                if (!_isFailing)
                    _failed(fault);
                _isFailing = true;
                // Nothing else would announce what is there already.
                await Task.Delay(Rest, _clock);
                if (HasStreams)
                    Interlocked.Increment(ref _pokes);
                continue;
            }
            _isFailing = false;
        } while (Interlocked.CompareExchange(ref _pokes, 0, seen) != seen);
    }

    private bool HasStreams
    {
        get
        {
            lock (_gate)
                return _streams.Count > 0;
        }
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
            while (_frames.Count > 1 && (_frames.Count > KeptFrames || _keptBytes > KeptBytes))
                _keptBytes -= _frames.Dequeue().Bytes.Length;
            _ended = batch.Ended ?? _ended;
            streams = [.. _streams];
        }
        foreach (var stream in streams)
            stream.Wake();
    }
}
