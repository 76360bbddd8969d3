namespace Postern.Access;

/// <param name="IsValid">
/// The sender knows a secret, the bytes are as he signed them and, for timed forms, fresh.
/// </param>
/// <param name="Replay">
/// What a repeat of the same message has in common with it; null where the scheme knows nothing of messages.
/// </param>
internal readonly record struct SignatureAnswer(bool IsValid, string? Replay)
{
    public static SignatureAnswer Invalid => default;
}
