using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Live;

/// <summary>
/// A request that waits for an answer. At each wake the caller's right is checked again. When its authority ends, the
/// wait ends within a second.
/// </summary>
internal sealed class HeldWait : IHeldRequest
{
    private readonly StreamRegistry _registry;
    private readonly ProjectCaller _caller;
    private readonly IDisposable? _following;
    private readonly CancellationTokenSource _over;

    public HeldWait(StreamRegistry registry, HttpContext http, ProjectCaller caller)
    {
        registry.Enter(caller);
        (_registry, _caller) = (registry, caller);
        _over = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        _following = caller.Authority.Follow();
        registry.Add(this);
    }

    /// <summary>Waits for the signal, or for a time.</summary>
    /// <exception cref="AuthorityEndedException">The caller may no longer do what it waits for.</exception>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public async Task ForAsync(AsyncSignal hint, TimeSpan atMost) =>
        await ForAsync(async gone =>
        {
            await hint.WaitAsync(atMost, _registry.Clock, gone);
            return 0;
        });

    /// <summary>Waits until another task has ended.</summary>
    /// <exception cref="AuthorityEndedException">The caller may no longer do what it waits for.</exception>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public async Task<T> ForAsync<T>(Func<CancellationToken, Task<T>> wait)
    {
        try
        {
            var answer = await wait(_over.Token);
            await _caller.EnsureStillAllowedAsync();
            return answer;
        }
        catch (OperationCanceledException)
        {
            await _caller.EnsureStillAllowedAsync();
            throw;
        }
    }

    public void Look()
    {
        if (_caller.WhyStopped() is null)
            return;
        try
        {
            // The waiting request continues on another thread than the one that wakes it.
            _ = _over.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended.
        }
    }

    /// <summary>When the server stops, its lifetime ends the waits: they answer with what there is.</summary>
    public void End(string reason) { }

    public void Dispose()
    {
        _registry.Remove(this);
        _registry.Leave(_caller);
        _following?.Dispose();
        _over.Dispose();
    }
}
