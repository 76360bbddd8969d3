using Postern.Http;

namespace Postern.Access;

/// <summary>
/// Limits the expensive verifications that run at the same time. A body that is large, or tried with many secrets,
/// waits for a place, so that strangers' requests use no more than one or two cores. When too many wait, the sender
/// must try again later.
/// </summary>
internal sealed class VerificationPlaces : IDisposable
{
    /// <summary>The bytes to be hashed, over all secrets, below which a verification needs no place.</summary>
    private const long Cheap = 256 * 1024;
    private const int MaxWaiting = 64;
    private readonly SemaphoreSlim _places = new(Math.Max(1, Environment.ProcessorCount / 2));
    private int _waiting;

    public static Refusal Busy { get; } =
        new(503, "Too many signatures are being verified. Send it again.", "unavailable") { RetryAfterSeconds = 1 };

    /// <summary>Runs a verification in a place. Returns null when too many wait.</summary>
    /// <param name="bytes">The body's length.</param>
    /// <param name="secrets">Against how many it is tried.</param>
    /// <param name="verify">The verification.</param>
    /// <param name="gone">The client has gone.</param>
    public async ValueTask<T?> VerifyAsync<T>(int bytes, int secrets, Func<T> verify, CancellationToken gone)
        where T : class
    {
        if ((long)bytes * Math.Max(1, secrets) <= Cheap)
            return verify();
        if (Interlocked.Increment(ref _waiting) > MaxWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            return null;
        }
        try
        {
            await _places.WaitAsync(gone);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
        try
        {
            return verify();
        }
        finally
        {
            _places.Release();
        }
    }

    public void Dispose() => _places.Dispose();
}
