using System.Diagnostics;

namespace Postern.Storage;

/// <summary>A command that waits for the writer, is run by it, and is answered.</summary>
internal abstract class SqliteWrite(StorageUse use, CancellationToken cancel)
{
    /// <summary>How long it waits for the writer.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>
    /// A command that was held up for this long and whose caller has gone is not run. Before that it runs, so that a
    /// handler's second write is still made when its client has gone.
    /// </summary>
    private static readonly TimeSpan HeldUp = TimeSpan.FromSeconds(1);

    private long _since = Stopwatch.GetTimestamp();
    private int _isTaken;

    public Exception? Fault { get; set; }

    public bool HasWaitedTooLong => Stopwatch.GetElapsedTime(_since) >= Patience;

    /// <summary>
    /// The writer takes the command. Returns false when nobody waits for it any more; then it is not run.
    /// </summary>
    public bool Begin()
    {
        // The caller was told long ago that it waited too long. Its request is over and must not be used.
        if (Volatile.Read(ref _isTaken) == 1)
            return false;
        if (
            Stopwatch.GetElapsedTime(_since) >= HeldUp
            && (cancel.CanBeCanceled ? cancel : use.Gone) is { IsCancellationRequested: true } gone
        )
        {
            Refuse(new OperationCanceledException(gone));
            return false;
        }
        if (!HasWaitedTooLong)
            return Take();
        Refuse(new StorageBusyException("The writes before this one took too long."));
        return false;
    }

    /// <summary>Fails the command, unless it was taken before.</summary>
    public bool Refuse(Exception fault)
    {
        if (!Take())
            return false;
        Fail(fault);
        return true;
    }

    public abstract void Run(SqliteTx tx);

    public abstract void Answer();

    /// <summary>Fails a command that was taken.</summary>
    public abstract void Fail(Exception fault);

    /// <summary>Puts the command through the queue once more.</summary>
    protected void WaitAgain()
    {
        _since = Stopwatch.GetTimestamp();
        Volatile.Write(ref _isTaken, 0);
    }

    private bool Take() => Interlocked.Exchange(ref _isTaken, 1) == 0;
}

/// <summary>A command with a result.</summary>
internal sealed class SqliteWrite<T>(
    Func<Tx, ValueTask<T>> command,
    SqliteDatabase database,
    StorageUse use,
    CancellationToken cancel
) : SqliteWrite(use, cancel)
{
    private readonly TaskCompletionSource<T> _answer = new();
    private DoneOutside? _outside;
    private T? _result;

    public Task<T> Task => _answer.Task;

    public override void Run(SqliteTx tx) => _result = SqliteDatabase.RunToEnd(command, tx);

    public override void Answer()
    {
        if (Fault is OutsideFirstException outside)
        {
            _ = RequeueAsync(outside);
            return;
        }
        if (Fault is null)
            _answer.TrySetResult(_result!);
        else if (Fault is OperationCanceledException cancelled)
            _answer.TrySetCanceled(cancelled.CancellationToken);
        else
            _answer.TrySetException(Fault);
        if (_outside is not null)
            _ = _outside.DisposeAsync().AsTask();
    }

    /// <summary>Continue elsewhere, never on the writer's thread.</summary>
    public override void Fail(Exception fault) =>
        ThreadPool.QueueUserWorkItem(_ =>
        {
            if (Fault is null or OutsideFirstException)
                Fault = fault;
            Answer();
        });

    private async Task RequeueAsync(OutsideFirstException outside)
    {
        try
        {
            await (_outside ??= new DoneOutside(database.Changes)).DoAsync(outside);
            Fault = null;
            WaitAgain();
            database.EnqueueAgain(this);
        }
        catch (Exception fault)
        {
            Fault = fault;
            Answer();
        }
    }
}
