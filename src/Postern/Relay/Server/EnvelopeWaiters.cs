using Postern.Settings;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// The callers that wait for the answers of planes. Each reads its row when a commit for its envelope is announced, and
/// also once a second: a hint may be lost, or another node may have taken the answer.
/// </summary>
internal sealed class EnvelopeWaiters(
    Database database,
    EnvelopeStore envelopes,
    PosternOptions options,
    ServerLife life
)
{
    private const int NodeFactor = 10;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private readonly Dictionary<string, int> _waiting = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private int _all;

    /// <summary>How many callers wait on this node.</summary>
    public int Count => Volatile.Read(ref _all);

    /// <summary>
    /// Returns the answer, or null when the time is over or too many wait already. The request is stored in any case,
    /// and its receipt shows the answer.
    /// </summary>
    /// <param name="plane">Whose.</param>
    /// <param name="seq">The envelope's number.</param>
    /// <param name="id">Its id.</param>
    /// <param name="time">How long.</param>
    /// <param name="gone">The caller has gone.</param>
    public async Task<StoredAnswer?> WaitAsync(string plane, long seq, string id, TimeSpan time, CancellationToken gone)
    {
        if (time <= TimeSpan.Zero || !Join(plane))
            return null;
        var began = life.Clock.GetTimestamp();
        var isAnswered = false;
        try
        {
            var answer = await LookAsync(plane, seq, id, time, gone);
            isAnswered = answer is { IsAnswered: true };
            return answer;
        }
        finally
        {
            RelayMeter.Waited(life.Clock.GetElapsedTime(began), isAnswered);
            Leave(plane);
        }
    }

    private async Task<StoredAnswer?> LookAsync(
        string plane,
        long seq,
        string id,
        TimeSpan time,
        CancellationToken gone
    )
    {
        var told = new AsyncSignal();
        using var listening = database.Changes.Listen(RelayTopics.OfEnvelope(id), told.Set);
        using var until = CancellationTokenSource.CreateLinkedTokenSource(gone, life.Stopping);
        var began = life.Clock.GetTimestamp();
        while (true)
        {
            try
            {
                var found = await envelopes.AnswerAsync(plane, seq);
                if (found is not { State: EnvelopeState.Stored })
                    return found;
            }
            catch (StorageUnavailableException)
            {
                // The request is stored, so a failed read is answered like a wait that is over.
            }
            var left = time - life.Clock.GetElapsedTime(began);
            if (left <= TimeSpan.Zero || life.Stopping.IsCancellationRequested)
                return null;
            try
            {
                await told.WaitAsync(left < LookEvery ? left : LookEvery, life.Clock, until.Token);
            }
            catch (OperationCanceledException) when (!gone.IsCancellationRequested)
            {
                // The server stops: read once more, and answer with the result.
            }
        }
    }

    private bool Join(string plane)
    {
        lock (_gate)
        {
            var most = options.RelayServer.Waiting;
            var now = _waiting.GetValueOrDefault(plane);
            if (now >= most || _all >= most * NodeFactor)
                return false;
            _waiting[plane] = now + 1;
            _all++;
            return true;
        }
    }

    private void Leave(string plane)
    {
        lock (_gate)
        {
            _all--;
            if (--_waiting[plane] == 0)
                _waiting.Remove(plane);
        }
    }
}
