using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// Callers that wait for an answer (<c>wait=</c>). All callers for one question share one read and one rendered answer.
/// It reads at each commit that touches the run.
/// </summary>
internal sealed class ApprovalWaiters(
    Database database,
    ApprovalStore approvals,
    IHostApplicationLifetime lifetime,
    TimeProvider clock
)
{
    /// <summary>The pause while the database cannot be reached.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);
    private readonly Dictionary<(string Project, string Id), Waiting> _waiting = [];
    private readonly Lock _gate = new();

    /// <summary>Returns the rendered answer, or null when the time is over without one.</summary>
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
            // Or the server stops: the caller asks again, on another node.
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
        // Listen before the first read, so that no commit in between is missed.
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
            // The last caller has left.
        }
        catch (Exception fault)
        {
            waiting.Answer.TrySetException(fault);
        }
    }

    /// <summary>Null while the database cannot be reached; then the next poll finds it.</summary>
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
        /// <summary>Callers continue on another thread than the one that reads.</summary>
        public TaskCompletionSource<byte[]> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Not disposed: it has no timer, and the last caller may leave after the poll has ended.</summary>
        public CancellationTokenSource Left { get; } = new();

        public int Count { get; set; }
    }
}
