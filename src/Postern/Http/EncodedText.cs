using System.Net;
using System.Text;
using System.Text.Unicode;

namespace Postern.Http;

/// <summary>Names and values as forms and queries write them: <c>a=b&amp;c=%20</c>.</summary>
internal static class EncodedText
{
    /// <summary>
    /// The name of the first field whose bytes are no UTF-8; null when all are text. What reads fields leaves such
    /// bytes as they are written, so that another text would be taken than was sent.
    /// </summary>
    /// <param name="text">Without the question mark of a query.</param>
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
