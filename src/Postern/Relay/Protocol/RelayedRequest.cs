using System.Text.Encodings.Web;
using System.Text.Json;

namespace Postern.Relay.Protocol;

/// <summary>
/// A request as it came to a relay. Header names and values are in their order. Each character of the target and of the
/// headers is one byte (Latin-1).
/// </summary>
/// <param name="Target">Path and query behind the plane's prefix, never decoded or tidied.</param>
/// <param name="Source">The sender's address: the relay's word.</param>
/// <param name="Headers">Pairs of name and value.</param>
internal sealed record RelayedRequest(
    string Method,
    string Target,
    string Source,
    IReadOnlyList<string[]> Headers,
    ReadOnlyMemory<byte> Body
)
{
    private const byte LineFeed = (byte)'\n';

    /// <summary>Returns the bytes to seal: one line of JSON, a line feed, the body.</summary>
    public byte[] ToBytes()
    {
        using var buffer = new MemoryStream(Body.Length + 2048);
        var options = new JsonWriterOptions { Encoder = JavaScriptEncoder.Default };
        using (var json = new Utf8JsonWriter(buffer, options))
        {
            json.WriteStartObject();
            json.WriteString("method"u8, Method);
            json.WriteString("target"u8, Target);
            json.WriteString("source"u8, Source);
            json.WriteStartArray("headers"u8);
            foreach (var header in Headers)
            {
                json.WriteStartArray();
                json.WriteStringValue(header[0]);
                json.WriteStringValue(header[1]);
                json.WriteEndArray();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        buffer.WriteByte(LineFeed);
        buffer.Write(Body.Span);
        return buffer.ToArray();
    }

    /// <summary>Returns null when no relay of this protocol could have sealed it.</summary>
    public static RelayedRequest? TryRead(ReadOnlyMemory<byte> bytes)
    {
        var end = bytes.Span.IndexOf(LineFeed);
        if (end <= 0)
            return null;
        try
        {
            var head = JsonSerializer.Deserialize<RequestHead>(bytes.Span[..end], FrameHead.Json);
            if (head is null)
                return null;
            var read = new RelayedRequest(head.Method, head.Target, head.Source, head.Headers, bytes[(end + 1)..]);
            return read.IsSound ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>
    /// Returns whether no value in it could become two headers, or another request, when the request is built again.
    /// </summary>
    public bool IsSound =>
        Method.Length is > 0 and <= 32
        && Method.All(char.IsAsciiLetterUpper)
        && Target.Length is > 0 and <= 16 * 1024
        && Target[0] == '/'
        && Target.All(c => c is > ' ' and <= '\u00ff' and not '\u007f')
        && Source.Length <= 64
        && Headers.All(h => h is [{ Length: > 0 } name, { } value] && name.All(IsOfName) && IsValue(value));

    private static bool IsOfName(char c) => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c);

    private static bool IsValue(string value) => value.All(c => c is '\t' or (>= ' ' and <= '\u00ff' and not '\u007f'));

    private sealed record RequestHead(string Method, string Target, string Source, List<string[]> Headers);
}
