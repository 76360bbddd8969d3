namespace Postern.Http;

/// <summary>Thrown when a caller opens more than it may have open; the door answers it.</summary>
internal sealed class QuotaReachedException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal { get; } = refusal;
}
