using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// Those who wait for an answer (<c>wait=</c>). All who wait for one question share one look at the store and one rendered answer, however many they are; the look is
/// made at each commit that touches the run, and by itself each second, so a lost hint costs a second.
/// </summary>
internal sealed class ApprovalWaiters(Database database, ApprovalStore approvals, IHostApplicationLifetime lifetime, TimeProvider clock)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private readonly Dictionary<(string Project, string Id), Waiting> _waiting = [];
    private readonly Lock _gate = new();

    /// <summary>The answer, rendered; null when the time is over and there is none.</summary>
    public async Task<byte[]?> WaitAsync(Approval open, TimeSpan time, CancellationToken gone)
    {
        Waiting waiting;
        lock (_gate)
        {
            if (!_waiting.TryGetValue((open.Project, open.Id), out waiting!)) _waiting[(open.Project, open.Id)] = waiting = new Waiting(this, open);
            waiting.Count++;
        }
        using var until = CancellationTokenSource.CreateLinkedTokenSource(gone, lifetime.ApplicationStopping);
        try
        {
            return await waiting.Answer.WaitAsync(time, clock, until.Token);
        }
        catch (Exception fault) when (fault is TimeoutException || (fault is OperationCanceledException && !gone.IsCancellationRequested))
        {
            // Or the server is going down: whoever waits asks again, where somebody answers.
            return null;
        }
        finally
        {
            lock (_gate)
            {
                if (--waiting.Count == 0)
                {
                    _waiting.Remove((open.Project, open.Id));
                    waiting.Leave();
                }
            }
        }
    }

    private sealed class Waiting
    {
        // Whoever waits goes on elsewhere than on the thread that has looked.
        private readonly TaskCompletionSource<byte[]?> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        // Not disposed: it has no timer, and the last to leave may do so after the look has ended.
        private readonly CancellationTokenSource _left = new();

        public Waiting(ApprovalWaiters all, Approval open) => _ = LookAsync(all, open);

        public int Count { get; set; }

        public Task<byte[]?> Answer => _answer.Task;

        public void Leave() => _left.Cancel();

        private async Task LookAsync(ApprovalWaiters all, Approval open)
        {
            using var changed = new Hint();
            // Listening begins before the first look: nothing that commits in between is missed.
            using var listening = all.Database.Changes.Listen(open.Run, changed.Set);
            try
            {
                while (!_answer.Task.IsCompleted)
                {
                    try
                    {
                        var now = await all.Approvals.FindAsync(open.Project, open.Id);
                        if (now is not { IsPending: true }) _answer.TrySetResult(now is null ? null : ApprovalJson.Status(now, now.RequestUrl));
                        else await changed.WaitAsync(LookEvery, all.Clock, _left.Token);
                    }
                    catch (StorageUnavailableException)
                    {
                        await changed.WaitAsync(LookEvery, all.Clock, _left.Token);
                    }
                }
            }
            catch (OperationCanceledException)
            {
                // The last of them has gone.
            }
            catch (Exception fault) when (fault is not OutOfMemoryException)
            {
                _answer.TrySetException(fault);
            }
        }
    }

    private Database Database => database;

    private ApprovalStore Approvals => approvals;

    private TimeProvider Clock => clock;
}
