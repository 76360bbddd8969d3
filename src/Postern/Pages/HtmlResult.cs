using System.IO.Compression;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// A rendered page, compressed for a browser that accepts Brotli. The length of a page reveals nothing of its secrets,
/// because <see cref="FormTokens"/> are different each time.
/// </summary>
internal sealed class HtmlResult(int status, byte[] page) : IResult
{
    /// <summary>A smaller page fits into one packet without compression.</summary>
    private const int WorthIt = 1_200;

    /// <summary>A millisecond for a long page. A higher level hardly makes it smaller.</summary>
    private const int Quality = 4;
    private const int Window = 18;

    public async Task ExecuteAsync(HttpContext http)
    {
        ConsoleFamily.Instance.Prepare(http);
        http.Response.StatusCode = status;
        RefusalId.Write(http, status);
        http.Response.ContentType = "text/html; charset=utf-8";
        http.Response.Headers.Vary = "Accept-Encoding";
        var sent = (ReadOnlyMemory<byte>)page;
        if (page.Length > WorthIt && TakesBrotli(http.Request) && Compressed() is { } smaller)
        {
            sent = smaller;
            http.Response.Headers.ContentEncoding = "br";
        }
        http.Response.ContentLength = sent.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
            await AnswerBody.WriteAsync(http, sent);
    }

    private static bool TakesBrotli(HttpRequest request) =>
        request
            .Headers.AcceptEncoding.ToString()
            .Split(',', StringSplitOptions.TrimEntries)
            .Contains("br", StringComparer.OrdinalIgnoreCase);

    private ReadOnlyMemory<byte>? Compressed()
    {
        var buffer = new byte[BrotliEncoder.GetMaxCompressedLength(page.Length)];
        return BrotliEncoder.TryCompress(page, buffer, out var written, Quality, Window)
            ? buffer.AsMemory(0, written)
            : null;
    }
}
