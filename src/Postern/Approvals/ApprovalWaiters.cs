using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// Those who wait for an answer (<c>wait=</c>). All who wait for one question share one look at the store and one
/// rendered answer, however many they are; the look is made at each commit that touches the run.
/// </summary>
internal sealed class ApprovalWaiters(
    Database database,
    ApprovalStore approvals,
    IHostApplicationLifetime lifetime,
    TimeProvider clock
)
{
    /// <summary>While the database is away.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);
    private readonly Dictionary<(string Project, string Id), Waiting> _waiting = [];
    private readonly Lock _gate = new();

    /// <summary>The answer, rendered; null when the time is over and there is none.</summary>
    public async Task<byte[]?> WaitAsync(Approval open, TimeSpan time, CancellationToken gone)
    {
        var waiting = Join(open);
        using var until = CancellationTokenSource.CreateLinkedTokenSource(gone, lifetime.ApplicationStopping);
        try
        {
            return await waiting.Answer.Task.WaitAsync(time, clock, until.Token);
        }
        catch (Exception fault)
            when (fault is TimeoutException || (fault is OperationCanceledException && !gone.IsCancellationRequested))
        {
            // Or the server is going down: whoever waits asks again, where somebody answers.
            return null;
        }
        finally
        {
            Leave(open, waiting);
        }
    }

    private Waiting Join(Approval open)
    {
        lock (_gate)
        {
            if (!_waiting.TryGetValue((open.Project, open.Id), out var waiting))
            {
                _waiting[(open.Project, open.Id)] = waiting = new Waiting();
                _ = PollAsync(waiting, open);
            }
            waiting.Count++;
            return waiting;
        }
    }

    private void Leave(Approval open, Waiting waiting)
    {
        lock (_gate)
        {
            if (--waiting.Count > 0)
                return;
            _waiting.Remove((open.Project, open.Id));
        }
        waiting.Left.Cancel();
    }

    private async Task PollAsync(Waiting waiting, Approval open)
    {
        var changed = new AsyncSignal();
        // Listening begins before the first look: nothing that commits in between is missed.
        using var listening = database.Changes.Listen(open.Run, changed.Set, WatchedRow.Run(open.Project, open.Run));
        try
        {
            while (!waiting.Answer.Task.IsCompleted)
            {
                var found = await FindAsync(open);
                if (found is { IsPending: false } decided)
                    waiting.Answer.TrySetResult(ApprovalJson.Status(decided, decided.RequestUrl));
                else
                    await changed.WaitAsync(found is null ? Rest : Timeout.InfiniteTimeSpan, clock, waiting.Left.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The last of them has gone.
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            waiting.Answer.TrySetException(fault);
        }
    }

    /// <summary>Null while the database is away: then the next look finds it.</summary>
    private async ValueTask<Approval?> FindAsync(Approval open)
    {
        try
        {
            return await approvals.FindAsync(open.Project, open.Id);
        }
        catch (StorageUnavailableException)
        {
            return null;
        }
    }

    private sealed class Waiting
    {
        /// <summary>Whoever waits goes on elsewhere than on the thread that has looked.</summary>
        public TaskCompletionSource<byte[]> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Not disposed: it has no timer, and the last to leave may do so after the look has ended.</summary>
        public CancellationTokenSource Left { get; } = new();

        public int Count { get; set; }
    }
}
