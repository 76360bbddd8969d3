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
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);
    private readonly WaitPlaces _callers = new(options.RelayServer.Waiting);

    /// <summary>Requests for a receipt have their own places, so that they take none from callers.</summary>
    private readonly WaitPlaces _receipts = new(options.RelayServer.Waiting);

    /// <summary>
    /// Returns the answer, or null when the time is over or too many wait already. The request is stored in any case,
    /// and its receipt shows the answer.
    /// </summary>
    /// <param name="plane">Whose.</param>
    /// <param name="seq">The envelope's number.</param>
    /// <param name="id">Its id.</param>
    /// <param name="time">How long.</param>
    /// <param name="gone">The caller has gone.</param>
    public Task<StoredAnswer?> WaitAsync(string plane, long seq, string id, TimeSpan time, CancellationToken gone) =>
        WaitAsync(_callers, plane, seq, id, time, gone);

    /// <summary>The same, for a caller that asks with a receipt.</summary>
    public Task<StoredAnswer?> FollowAsync(string plane, long seq, string id, TimeSpan time, CancellationToken gone) =>
        WaitAsync(_receipts, plane, seq, id, time, gone);

    private async Task<StoredAnswer?> WaitAsync(
        WaitPlaces places,
        string plane,
        long seq,
        string id,
        TimeSpan time,
        CancellationToken gone
    )
    {
        if (time <= TimeSpan.Zero || !places.Join(plane))
            return null;
        var began = life.Clock.GetTimestamp();
        var isAnswered = false;
        try
        {
            var answer = await PollAsync(plane, seq, id, time, gone);
            isAnswered = answer is { IsAnswered: true };
            return answer;
        }
        finally
        {
            RelayMeter.Waited(life.Clock.GetElapsedTime(began), isAnswered);
            places.Leave(plane);
        }
    }

    private async Task<StoredAnswer?> PollAsync(
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
                await told.WaitAsync(left < PollInterval ? left : PollInterval, life.Clock, until.Token);
            }
            catch (OperationCanceledException) when (!gone.IsCancellationRequested)
            {
                // The server stops: read once more, and answer with the result.
            }
        }
    }
}
