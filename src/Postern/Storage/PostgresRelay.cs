using System.Text;
using System.Threading.Channels;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// Tells the other nodes what this one committed, and hears the same from them, over NOTIFY and LISTEN on connections of its
/// own. What was committed within a few milliseconds goes out as one notification, outside every write. It is a hint: where
/// the link breaks, or a pooler swallows LISTEN, each node still looks by itself every <see cref="LookEvery"/>.
/// </summary>
internal sealed class PostgresRelay(NpgsqlDataSource source, Changes changes, TimeProvider clock) : IAsyncDisposable
{
    private const string Link = "postern";
    /// <summary>PostgreSQL takes 8000 bytes a notification; what does not fit is told as "look at everything".</summary>
    private const int MaxPayload = 7900;
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(4);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    /// <summary>While the database is away each loop says so once a minute, not once a try.</summary>
    private static readonly TimeSpan LogEvery = TimeSpan.FromMinutes(1);

    private readonly string _node = Guid.NewGuid().ToString("N")[..8];
    private readonly Channel<string> _told = Channel.CreateBounded<string>(new BoundedChannelOptions(50_000) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly CancellationTokenSource _stop = new();
    private Task _loops = Task.CompletedTask;

    public void Start() => _loops = Task.WhenAll(ForEver("tell", TellAsync), ForEver("hear", HearAsync), ForEver("look", LookAsync));

    public void Tell(IReadOnlyCollection<string> topics)
    {
        foreach (var topic in topics) _told.Writer.TryWrite(topic);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loops;
        _stop.Dispose();
    }

    /// <summary>A loop ends with the node and with nothing else: whatever goes wrong in one round is logged, and the next one tries again.</summary>
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
                if (logged == 0 || clock.GetElapsedTime(logged) > LogEvery)
                {
                    StorageLog.RelayFailed(changes.Log, loop, fault);
                    logged = clock.GetTimestamp();
                }
                // The nodes look by themselves meanwhile.
                await Task.Delay(Rest, clock, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task TellAsync(CancellationToken stop)
    {
        await _told.Reader.WaitToReadAsync(stop);
        await Task.Delay(Gather, clock, stop);
        var topics = new HashSet<string>(StringComparer.Ordinal);
        while (_told.Reader.TryRead(out var topic)) topics.Add(topic);
        var payload = new StringBuilder(_node);
        foreach (var topic in topics) payload.Append('\n').Append(topic);
        if (Encoding.UTF8.GetByteCount(payload.ToString()) > MaxPayload) payload.Clear().Append(_node).Append("\n*");
        await using var command = source.CreateCommand("SELECT pg_notify($1, $2)");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = Link });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = payload.ToString() });
        await command.ExecuteNonQueryAsync(stop);
    }

    private async Task HearAsync(CancellationToken stop)
    {
        await using var connection = await source.OpenConnectionAsync(stop);
        connection.Notification += (_, note) => Hear(note.Payload);
        await using (var listen = new NpgsqlCommand("LISTEN " + Link, connection)) await listen.ExecuteNonQueryAsync(stop);
        changes.HeardEverything();
        while (true) await connection.WaitAsync(stop);
    }

    private async Task LookAsync(CancellationToken stop)
    {
        await Task.Delay(LookEvery, clock, stop);
        changes.HeardEverything();
    }

    private void Hear(string payload)
    {
        var topics = payload.Split('\n');
        if (topics[0] == _node) return;
        if (topics is [_, "*"]) changes.HeardEverything();
        else changes.Heard(topics[1..]);
    }
}
