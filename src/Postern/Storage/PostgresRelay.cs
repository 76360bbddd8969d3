using System.Text;
using System.Threading.Channels;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// Tells the other nodes what this one has committed, and hears the same from them. Its cost does not grow with streams
/// or waiters.
/// </summary>
internal sealed class PostgresRelay : IAsyncDisposable
{
    /// <summary>PostgreSQL accepts 8000 bytes in a notification. Longer hints are read from the log.</summary>
    private const int MaxPayload = 7900;

    /// <summary>A hint with more topics than this means "read everything".</summary>
    private const int MaxTopics = 5_000;
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(4);
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ReadWithoutEcho = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan EchoWithin = TimeSpan.FromSeconds(2.5);
    private static readonly TimeSpan RowsEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    /// <summary>While the database cannot be reached, each loop logs it once a minute, not once for each try.</summary>
    private static readonly TimeSpan LogEvery = TimeSpan.FromMinutes(1);

    private readonly NpgsqlDataSource _source;
    private readonly Changes _changes;
    private readonly TimeProvider _clock;
    private readonly string _node = Guid.NewGuid().ToString("N")[..12];
    private readonly HintLog _log;
    private readonly RowPoller _rows;
    private readonly NodesHeard _heard = new();
    private readonly Channel<string> _told;
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Set when the log contains something that no notification has named.</summary>
    private readonly AsyncSignal _toRead = new();

    /// <summary>Set when a hint may have been missed.</summary>
    private readonly AsyncSignal _missed = new();
    private Task _loops = Task.CompletedTask;
    private long _number;

    /// <summary>
    /// The last hint that the others can read. They would take a hint that is not yet committed for a lost one.
    /// </summary>
    private long _toldUpTo;
    private long _echoAt;

    /// <summary>Topics were dropped, or may not have been told: the next hint says "everything".</summary>
    private int _lost;

    public PostgresRelay(NpgsqlDataSource source, Changes changes, TimeProvider clock)
    {
        (_source, _changes, _clock) = (source, changes, clock);
        (_log, _rows) = (new HintLog(source, _node), new RowPoller(source, changes));
        _told = Channel.CreateBounded<string>(
            new BoundedChannelOptions(50_000) { FullMode = BoundedChannelFullMode.DropOldest },
            _ => Interlocked.Exchange(ref _lost, 1)
        );
    }

    public void Start() =>
        _loops = Task.WhenAll(
            ForEver("tell", PublishAsync),
            ForEver("hear", HearAsync),
            ForEver("read", ReadAsync),
            ForEver("beat", BeatAsync),
            ForEver("rows", PollRowsAsync),
            ForEver("clean", CleanAsync)
        );

    public void Tell(IReadOnlyCollection<string> topics)
    {
        foreach (var topic in topics)
            _told.Writer.TryWrite(topic);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _stop.CancelAsync();
        }
        catch (AggregateException)
        {
            // Caused by the driver when its connection is gone: see DriverCancellation.
        }
        await _loops;
        _stop.Dispose();
        await TellTheRestAsync();
    }

    /// <summary>A loop ends only with the node. A failed round is logged, and the next one tries again.</summary>
    private async Task ForEver(string loop, Func<CancellationToken, Task> round)
    {
        var logged = 0L;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await round(_stop.Token);
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception fault)
            {
                if (logged == 0 || _clock.GetElapsedTime(logged) > LogEvery)
                {
                    StorageLog.RelayFailed(_changes.Log, loop, fault);
                    logged = _clock.GetTimestamp();
                }
                // The numbers, or the rows, show what was missed meanwhile.
                await Task.Delay(Rest, _clock, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task PublishAsync(CancellationToken stop)
    {
        if (Volatile.Read(ref _lost) == 0)
            await _told.Reader.WaitToReadAsync(stop);
        await Task.Delay(Gather, _clock, stop);
        var lost = Interlocked.Exchange(ref _lost, 0) == 1;
        var topics = new HashSet<string>(StringComparer.Ordinal);
        while (_told.Reader.TryRead(out var topic))
            topics.Add(topic);
        if (topics.Count == 0 && !lost)
            return;
        var text = lost || topics.Count > MaxTopics ? NodesHeard.Everything : string.Join('\n', topics);
        var number = ++_number;
        try
        {
            await _log.PublishAsync(number, text, NotificationOf(number, text), stop);
            Volatile.Write(ref _toldUpTo, number);
        }
        catch (Exception)
        {
            // The number may or may not have been told. The others find a gap, or "everything" behind it.
            Interlocked.Exchange(ref _lost, 1);
            throw;
        }
    }

    /// <summary>
    /// The last commits of a node that stops. If it cannot tell them, the others notice that it is silent.
    /// </summary>
    private async Task TellTheRestAsync()
    {
        if (_told.Reader.Count == 0)
            return;
        using var patience = new CancellationTokenSource(Rest, _clock);
        using var passing = new DriverCancellation(patience.Token);
        try
        {
            await PublishAsync(passing.Token);
        }
        catch (Exception fault) when (fault is NpgsqlException or OperationCanceledException or ObjectDisposedException)
        {
            StorageLog.RelayFailed(_changes.Log, "tell", fault);
        }
    }

    /// <summary>The node, the number, and the topics if they fit; otherwise the log must be read.</summary>
    private string NotificationOf(long number, string topics)
    {
        var whole = $"{_node}\n{number}\n{topics}";
        return Encoding.UTF8.GetByteCount(whole) <= MaxPayload ? whole : $"{_node}\n{number}";
    }

    private async Task HearAsync(CancellationToken stop)
    {
        await using var connection = await _source.OpenConnectionAsync(stop);
        connection.Notification += (_, note) => Hear(note.Payload);
        await using (var listen = new NpgsqlCommand("LISTEN " + HintLog.Link, connection))
            await listen.ExecuteNonQueryAsync(stop);
        _toRead.Set();
        while (true)
            await connection.WaitAsync(stop);
    }

    private void Hear(string payload)
    {
        var parts = payload.Split('\n');
        if (parts[0] == _node)
        {
            Volatile.Write(ref _echoAt, _clock.GetTimestamp());
            return;
        }
        if (parts.Length == 1)
            return;
        var isWhole = parts.Length > 2 && parts[2] != NodesHeard.Everything;
        if (isWhole && long.TryParse(parts[1], out var number) && _heard.IsNext(parts[0], number))
            _changes.Heard(parts[2..]);
        else
            _toRead.Set();
    }

    private async Task ReadAsync(CancellationToken stop)
    {
        var echoes = _echoAt != 0 && _clock.GetElapsedTime(Volatile.Read(ref _echoAt)) < EchoWithin;
        await _toRead.WaitAsync(echoes ? Beat : ReadWithoutEcho, _clock, stop);
        var read = await _log.ReadAsync(_heard.Cursors, stop);
        var (topics, everything) = _heard.Take(read);
        if (topics.Count > 0)
            _changes.Heard(topics);
        if (everything)
            _missed.Set();
        if (read.GroupBy(h => h.Node).Any(hints => hints.Count() >= HintLog.MostRead))
            _toRead.Set();
    }

    private async Task BeatAsync(CancellationToken stop)
    {
        await _log.BeatAsync(Volatile.Read(ref _toldUpTo), stop);
        await Task.Delay(Beat, _clock, stop);
    }

    private async Task PollRowsAsync(CancellationToken stop)
    {
        await _missed.WaitAsync(RowsEvery, _clock, stop);
        try
        {
            _changes.HeardEverything();
            await _rows.PollAsync(stop);
        }
        catch (Exception)
        {
            // What was missed is still missed, so this is tried again.
            _missed.Set();
            throw;
        }
    }

    private async Task CleanAsync(CancellationToken stop)
    {
        await Task.Delay(RowsEvery, _clock, stop);
        await _log.CleanAsync(stop);
    }
}
