using Postern.Storage;

namespace Postern.Live;

/// <summary>One request that asks repeatedly until there is something (<see cref="LongPolls"/>).</summary>
internal sealed class LongPoll(
    HeldWait held,
    AsyncSignal changed,
    IDisposable listening,
    CancellationToken stopping,
    Deadline deadline
) : IDisposable
{
    private readonly CancellationTokenRegistration _stopping = stopping.Register(changed.Set);

    /// <summary>Whether it must answer with what there is.</summary>
    public bool IsOver => deadline.Left <= TimeSpan.Zero || stopping.IsCancellationRequested;

    /// <summary>Waits until it is worth asking again.</summary>
    /// <exception cref="Http.AuthorityEndedException">The caller may no longer do what it waits for.</exception>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public Task UntilChangedAsync() => held.ForAsync(changed, deadline.Left);

    public void Dispose()
    {
        _stopping.Dispose();
        listening.Dispose();
        held.Dispose();
    }
}
