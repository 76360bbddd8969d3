using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Postern.Http;

/// <summary>
/// Checks where a request ends. A proxy in front decides that by itself. If it decides otherwise, the rest of one
/// caller's request becomes the beginning of another's (RFC 9112 §11.2). So no ambiguous form is accepted: lines that
/// end with LF only, lengths that are not plain digits, and transfer codings other than a single <c>chunked</c>.
/// </summary>
internal static class Framing
{
    /// <summary>The server's own switch, which is read when the server is created.</summary>
    private const string NoBareLineFeeds = "Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators";

    private static readonly Encoding Digits = new DigitsEncoding();

    public static void Configure(KestrelServerOptions kestrel)
    {
        AppContext.SetSwitch(NoBareLineFeeds, true);
        // Every byte of a header is accepted: a door refuses an invalid credential, not the parser.
        kestrel.RequestHeaderEncodingSelector = name =>
            name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase) ? Digits : Encoding.Latin1;
    }

    /// <summary>Returns why the end of a request is ambiguous, or null.</summary>
    public static Refusal? Validate(HttpContext http)
    {
        var coding = http.Request.Headers.TransferEncoding;
        if (coding.Count == 0)
            return null;
        var clear = coding is [{ } only] && only.Equals("chunked", StringComparison.OrdinalIgnoreCase);
        if (clear && !SaidLengthToo(http) && !HttpProtocol.IsHttp10(http.Request.Protocol))
            return null;
        // The bytes that follow may belong to this request or to the next one.
        http.Response.Headers.Connection = "close";
        return Refusal.BadRequest(
            "Send a Content-Length or Transfer-Encoding: chunked, one of them",
            "invalid_framing"
        );
    }

    /// <summary>When both are present, the server removes the length and keeps it under this name.</summary>
    private static bool SaidLengthToo(HttpContext http) =>
        http.Request.ContentLength is not null || http.Request.Headers.ContainsKey("X-Content-Length");

    /// <summary>
    /// Gives the server's parser only a length of plain digits. The parser would accept signs and blanks and pass on
    /// the number, so that nothing later could see them.
    /// </summary>
    private sealed class DigitsEncoding : Encoding
    {
        public override int GetMaxByteCount(int charCount) => charCount;

        public override int GetMaxCharCount(int byteCount) => byteCount;

        public override int GetByteCount(char[] chars, int index, int count) => count;

        public override int GetBytes(char[] chars, int charIndex, int charCount, byte[] bytes, int byteIndex) =>
            Latin1.GetBytes(chars, charIndex, charCount, bytes, byteIndex);

        public override int GetCharCount(byte[] bytes, int index, int count) => count;

        public override int GetChars(byte[] bytes, int byteIndex, int byteCount, char[] chars, int charIndex)
        {
            for (var i = 0; i < byteCount; i++)
            {
                var shown = (char)bytes[byteIndex + i];
                chars[charIndex + i] = char.IsAsciiDigit(shown) ? shown : '?';
            }
            return byteCount;
        }
    }
}
