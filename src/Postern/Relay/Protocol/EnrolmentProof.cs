using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Relay.Protocol;

/// <summary>
/// What both sides of an enrolment prove: HMAC-SHA-256 under the code's secret, base64url, over lines that begin with
/// whose proof it is.
/// </summary>
internal static class EnrolmentProof
{
    public const int Length = 43;

    /// <summary>The plane's: it holds the code, and means these keys.</summary>
    public static string OfPlane(string secret, string fingerprint, JoinRelay join) =>
        Make(secret, "postern-relay/1 join", fingerprint, join.Sign, join.Open, join.Nonce);

    /// <summary>The relay's: it made the code, and has taken these keys under this name.</summary>
    public static string OfRelay(string secret, string plane, string key, JoinRelay join) =>
        Make(secret, "postern-relay/1 joined", plane, key, join.Sign, join.Open, join.Nonce);

    /// <summary>Compares in constant time.</summary>
    public static bool IsSame(string proof, string expected) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(proof), Encoding.UTF8.GetBytes(expected));

    private static string Make(string secret, params ReadOnlySpan<string> lines) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), RelaySignature.Lines(lines)));
}
