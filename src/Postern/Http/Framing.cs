using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Postern.Http;

/// <summary>
/// Where a request ends. A proxy in front reads that for itself, and where it reads it otherwise the rest of one
/// caller's request becomes the beginning of another's (RFC 9112 §11.2). So of the forms that are read in more than one
/// way none is taken: lines ended by LF alone, lengths that are not just digits, and codings of the transfer other than
/// <c>chunked</c> alone.
/// </summary>
internal static class Framing
{
    /// <summary>The server's own switch; it is read when the server is made.</summary>
    private const string NoBareLineFeeds = "Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators";

    private static readonly Encoding Digits = new DigitsEncoding();

    public static void Configure(KestrelServerOptions kestrel)
    {
        AppContext.SetSwitch(NoBareLineFeeds, true);
        // Every byte of a header is taken as it is: what is no credential is refused by its door, not by the parser.
        kestrel.RequestHeaderEncodingSelector = name =>
            name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase) ? Digits : Encoding.Latin1;
    }

    /// <summary>Returns why a request's end cannot be told for certain; null when it can.</summary>
    public static Refusal? Validate(HttpContext http)
    {
        var coding = http.Request.Headers.TransferEncoding;
        if (coding.Count == 0)
            return null;
        var clear = coding is [{ } only] && only.Equals("chunked", StringComparison.OrdinalIgnoreCase);
        if (clear && !SaidLengthToo(http) && !HttpProtocol.IsHttp10(http.Request.Protocol))
            return null;
        // What follows on the connection may be this request's or the next one's.
        http.Response.Headers.Connection = "close";
        return Refusal.BadRequest(
            "Send a Content-Length or Transfer-Encoding: chunked, one of them",
            "invalid_framing"
        );
    }

    /// <summary>The server takes the length away where both are said, and keeps it under this name.</summary>
    private static bool SaidLengthToo(HttpContext http) =>
        http.Request.ContentLength is not null || http.Request.Headers.ContainsKey("X-Content-Length");

    /// <summary>
    /// Shows the server's parser a length only when it is digits alone: the parser takes signs and blanks, and hands on
    /// the number, so that nothing after it could still see them.
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
