using Postern.Http;

namespace Postern.Access;

/// <summary>
/// A bounded number of costly verifications at once: a body that is large, or tried against many secrets, waits for a
/// place, so that strangers' requests occupy no more than a core or two. Who would wait behind too many is told to come
/// again.
/// </summary>
internal sealed class VerificationPlaces : IDisposable
{
    /// <summary>Bytes to be hashed, over all secrets: below it a verification is not worth a queue.</summary>
    private const long Cheap = 256 * 1024;
    private const int MaxWaiting = 64;
    private readonly SemaphoreSlim _places = new(Math.Max(1, Environment.ProcessorCount / 2));
    private int _waiting;

    public static Refusal Busy { get; } =
        new(503, "Too many signatures are being verified. Send it again.", "unavailable") { RetryAfterSeconds = 1 };

    /// <summary>Runs a verification in a place of its own. Null: too many wait.</summary>
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
