using System.Buffers;
using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>A record to be appended.</summary>
/// <param name="Body">As in <see cref="Record"/>.</param>
/// <param name="In">What it asks for, on the channel <c>in</c>.</param>
internal sealed record NewRecord(byte[] Body, string? PartId, IReadOnlyList<string[]>? Headers, InEffect? In = null)
{
    /// <summary>The number of bytes that it takes.</summary>
    public long Size => Body.Length + (Headers?.Sum(h => (long)h[0].Length + h[1].Length) ?? 0);

    public string? ControlValue => Headers?.FirstOrDefault(h => h[0] == Control.Header)?[1];

    /// <summary>
    /// Returns whether it equals the existing record with its part id: the same body, and the same headers in any
    /// order. On a turn-complete the server sets some headers; these are not compared.
    /// </summary>
    public bool IsRepeatOf(Record there)
    {
        if (!there.Body.AsSpan().SequenceEqual(Body) || there.Headers is null != Headers is null)
            return false;
        return Headers is null
            || SaidBy(JsonSerializer.Deserialize<List<string[]>>(there.Headers!)!).SequenceEqual(SaidBy(Headers));
    }

    private static IEnumerable<(string Name, string Value)> SaidBy(IReadOnlyList<string[]> headers)
    {
        var ends = headers.Any(h => h is [Control.Header, Control.TurnComplete]);
        return headers
            .Where(h => !ends || !Control.IsOfServer(h[0]))
            .Select(h => (Name: h[0], Value: h[1]))
            .OrderBy(h => h.Name, StringComparer.Ordinal)
            .ThenBy(h => h.Value, StringComparer.Ordinal);
    }

    /// <summary>Returns <c>{"data":"…","id":"…"}</c> with the text as a JSON string.</summary>
    public static NewRecord OfText(ReadOnlySpan<byte> text, string id, string? partId, InEffect? effect = null) =>
        new(Wrap(id, text, asText: true), partId, null, effect);

    /// <summary>Returns <c>{"data":…,"id":"…"}</c> with a JSON value, unchanged.</summary>
    public static NewRecord OfJson(ReadOnlySpan<byte> json, string id, string? partId, InEffect? effect = null) =>
        new(Wrap(id, json, asText: false), partId, null, effect);

    public static NewRecord OfControl(string? partId, params IReadOnlyList<string[]> headers) =>
        new([], partId, headers);

    /// <summary>
    /// The bytes that need no escape in a JSON string: printable ASCII without the quote and the backslash.
    /// </summary>
    private static readonly SearchValues<byte> Plain = SearchValues.Create([
        .. Enumerable.Range(0x20, 0x5f).Select(b => (byte)b).Where(b => b is not ((byte)'"' or (byte)'\\')),
    ]);

    /// <summary>The common case needs one allocation: neither the text nor the id contains a byte to escape.</summary>
    private static byte[]? TryWrapPlain(string id, ReadOnlySpan<byte> data)
    {
        var head = "{\"data\":\""u8;
        var middle = "\",\"id\":\""u8;
        var end = "\"}"u8;
        var body = new byte[head.Length + data.Length + middle.Length + id.Length + end.Length];
        head.CopyTo(body);
        data.CopyTo(body.AsSpan(head.Length));
        middle.CopyTo(body.AsSpan(head.Length + data.Length));
        var at = head.Length + data.Length + middle.Length;
        if (
            System.Text.Ascii.FromUtf16(id, body.AsSpan(at), out _) != OperationStatus.Done
            || body.AsSpan(at, id.Length).ContainsAnyExcept(Plain)
        )
            return null;
        end.CopyTo(body.AsSpan(at + id.Length));
        return body;
    }

    private static byte[] Wrap(string id, ReadOnlySpan<byte> data, bool asText)
    {
        if (asText && !data.ContainsAnyExcept(Plain) && TryWrapPlain(id, data) is { } plain)
            return plain;
        var buffer = new ArrayBufferWriter<byte>(data.Length + id.Length + 32);
        using var json = new Utf8JsonWriter(buffer, Wire.WriterOptions);
        json.WriteStartObject();
        if (asText)
            json.WriteString("data"u8, data);
        else
        {
            json.WritePropertyName("data"u8);
            json.WriteRawValue(data, skipInputValidation: true);
        }
        json.WriteString("id"u8, id);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
