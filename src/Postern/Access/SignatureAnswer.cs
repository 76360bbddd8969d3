namespace Postern.Access;

/// <param name="IsValid">
/// The sender knows a secret, the bytes are as he signed them and, for timed forms, fresh.</param>
/// <param name="Replay">
/// What a repeat of the same message has in common with it; null where the scheme knows nothing of messages.
/// </param>
internal readonly record struct SignatureAnswer(bool IsValid, string? Replay)
{
    /// <summary>
    /// Why it is not valid, for the owners of the secret and never for the sender: <c>no_signature</c>,
    /// <c>signed_412_s_ago</c>, <c>signed_412_s_ahead</c>, <c>retired_secret</c>, else <c>wrong_signature</c>.
    /// </summary>
    public string Fault
    {
        get => field ?? "wrong_signature";
        init;
    }

    public static SignatureAnswer Invalid => default;

    public static SignatureAnswer Unsigned { get; } = new(false, null) { Fault = "no_signature" };

    /// <summary>
    /// The answer for an instant outside of the tolerance. Only a right signature is reported as stale.
    /// </summary>
    /// <param name="matches">Whether a secret made it.</param>
    /// <param name="age">Seconds; negative for what is ahead.</param>
    public static SignatureAnswer Stale(bool matches, long age) =>
        matches ? new(false, null) { Fault = age < 0 ? $"signed_{-age}_s_ahead" : $"signed_{age}_s_ago" } : Invalid;
}
