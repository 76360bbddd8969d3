namespace Postern.Access;

/// <param name="Allowed">Whether a token was taken.</param>
/// <param name="Limit">The bucket's size; 0 when there is no limit.</param>
/// <param name="Remaining">Tokens left.</param>
/// <param name="RetryAfter">Seconds until there is one again.</param>
internal readonly record struct BucketAnswer(bool Allowed, int Limit, int Remaining, double RetryAfter);
