using Microsoft.IdentityModel.Tokens;

namespace Postern.Access;

/// <param name="Key">What HMAC-SHA256 is computed with.</param>
/// <param name="Digest">Which key row's secret it is, by its stored digest.</param>
/// <param name="Until">The end of the overlap for a rotated key; null for the present one.</param>
internal sealed record SigningKey(SymmetricSecurityKey Key, byte[] Digest, long? Until);
