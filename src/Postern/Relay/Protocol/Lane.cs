using System.Security.Cryptography;
using System.Text;

namespace Postern.Relay.Protocol;

/// <summary>The envelopes of one path. A plane runs them one after the other, in the order of their numbers.</summary>
internal static class Lane
{
    /// <summary>The first 16 hex digits of the SHA-256 of a target without its query; a target is Latin-1.</summary>
    public static string Of(string target)
    {
        var query = target.IndexOf('?', StringComparison.Ordinal);
        var path = query < 0 ? target : target[..query];
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.Latin1.GetBytes(path)))[..16];
    }
}
