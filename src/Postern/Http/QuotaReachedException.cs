namespace Postern.Http;

/// <summary>
/// A bound of what one caller may hold open is reached: thrown where it is opened, and answered by the door.
/// </summary>
internal sealed class QuotaReachedException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal { get; } = refusal;
}
