using System.Net;
using System.Text;
using System.Text.Unicode;

namespace Postern.Http;

/// <summary>Names and values as in forms and queries: <c>a=b&amp;c=%20</c>.</summary>
internal static class EncodedText
{
    /// <summary>
    /// Returns the name of the first field whose bytes are not UTF-8; null when all are text. The reader of fields
    /// leaves such bytes encoded, so another text would be taken than was sent.
    /// </summary>
    /// <param name="text">A query without its question mark.</param>
    public static string? FirstUnfit(string text)
    {
        foreach (var pair in text.Split('&'))
        {
            if (!pair.Contains('%', StringComparison.Ordinal))
                continue;
            var bytes = Encoding.UTF8.GetBytes(pair);
            if (!Utf8.IsValid(WebUtility.UrlDecodeToBytes(bytes, 0, bytes.Length)))
                return Wire.Cut(pair.Split('=')[0], 64);
        }
        return null;
    }
}
