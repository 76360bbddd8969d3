using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Relay.Protocol;

/// <summary>
/// The proofs of both sides of an enrolment: HMAC-SHA-256 under the code's secret, in base64url. The first line that is
/// signed says whose proof it is.
/// </summary>
internal static class EnrolmentProof
{
    public const int Length = 43;

    /// <summary>The plane's proof: it holds the code, and wants to join with these keys.</summary>
    public static string OfPlane(string secret, string fingerprint, JoinRelay join) =>
        Make(secret, "postern-relay/1 join", fingerprint, join.Sign, join.Open, join.Nonce);

    /// <summary>The relay's proof: it made the code, and has accepted these keys under this name.</summary>
    public static string OfRelay(string secret, string plane, string key, JoinRelay join) =>
        Make(secret, "postern-relay/1 joined", plane, key, join.Sign, join.Open, join.Nonce);

    /// <summary>Compares two proofs in constant time.</summary>
    public static bool IsSame(string proof, string expected) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(proof), Encoding.UTF8.GetBytes(expected));

    private static string Make(string secret, params ReadOnlySpan<string> lines) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), RelaySignature.Lines(lines)));
}
