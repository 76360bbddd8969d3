using System.Security.Cryptography;
using System.Text;

namespace Postern.Support;

/// <summary>Signs as Standard Webhooks does, by a text as the key.</summary>
internal static class StandardSigner
{
    public static (string Name, string Value)[] Sign(
        string secret,
        string id,
        ReadOnlySpan<byte> body,
        DateTimeOffset? at = null
    )
    {
        var seconds = (at ?? DateTimeOffset.UtcNow).ToUnixTimeSeconds();
        return
        [
            ("webhook-id", id),
            ("webhook-timestamp", seconds.ToString()),
            ("webhook-signature", "v1," + Mac(secret, $"{id}.{seconds}.", body)),
        ];
    }

    private static string Mac(string secret, string head, ReadOnlySpan<byte> body)
    {
        byte[] signed = [.. Encoding.UTF8.GetBytes(head), .. body];
        return Convert.ToBase64String(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), signed));
    }
}
