namespace Postern.Access;

/// <summary>A new key.</summary>
/// <param name="Row">The row.</param>
/// <param name="Key">Its text, which is shown this once.</param>
internal sealed record MadeKey(KeyRow Row, ApiKey Key);
