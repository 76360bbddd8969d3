using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.Extensions.Primitives;

namespace Postern.Http;

/// <summary>
/// The body of a request, read whole up to a limit: a larger one is refused, never cut. The bytes are rented and valid
/// until the body is disposed.
/// </summary>
internal sealed class RequestBody : IDisposable
{
    /// <summary>Expected of a body whose length is not declared.</summary>
    private const int FirstBytes = 4096;
    private static readonly JsonDocumentOptions Strict = new()
    {
        AllowDuplicateProperties = false,
        MaxDepth = Wire.MaxDepth,
    };
    private readonly int _limit;
    private readonly string? _contentType;
    private readonly StringValues _contentEncoding;
    private readonly BodyBuffer _buffer;

    private RequestBody(HttpRequest request, BodyBuffer buffer, int limit)
    {
        (_buffer, _limit) = (buffer, limit);
        (_contentType, _contentEncoding) = (request.ContentType, request.Headers.ContentEncoding);
    }

    public int Length => _buffer.Length;

    /// <summary>The original bytes, which a signature covers.</summary>
    public ReadOnlyMemory<byte> Bytes => _buffer.Bytes;

    /// <summary>Returns the body, a 413, or a 503 when there is no room for it now.</summary>
    /// <param name="http">Nothing of its body has been read yet.</param>
    /// <param name="limit">Bytes; counted as they arrive when no length is declared.</param>
    public static async ValueTask<Checked<RequestBody>> ReadAsync(HttpContext http, int limit)
    {
        if (http.Request.ContentLength > limit)
            return TooLarge;
        if (http.Features.Get<ReadAlready>() is { } already)
            return already.Bytes.Length > limit ? TooLarge : new RequestBody(http.Request, already.Copy(), limit);
        var expected = http.Request.ContentLength ?? FirstBytes;
        var buffer = new BodyBuffer(Arrival.Of(http) is null ? http : null, expected);
        try
        {
            if (await FillAsync(http, buffer, limit) is { } refusal)
                return refusal;
            var body = new RequestBody(http.Request, buffer, limit);
            buffer = null;
            return body;
        }
        finally
        {
            buffer?.Dispose();
        }
    }

    /// <summary>Reads to the end. Returns why the body is not taken, or null.</summary>
    private static async ValueTask<Refusal?> FillAsync(HttpContext http, BodyBuffer buffer, int limit)
    {
#pragma warning disable RS0030 // The one place where a body is read.
        var reader = http.Request.BodyReader;
#pragma warning restore RS0030
        while (true)
        {
            var read = await ReadOnAsync(reader, http.RequestAborted);
            var arrived = read.Buffer;
            var isTooLarge = buffer.Length + arrived.Length > limit;
            var isTaken = !isTooLarge && buffer.TryAdd(arrived);
            reader.AdvanceTo(arrived.End);
            if (!isTaken)
                return isTooLarge ? TooLarge : BodyRoom.Full;
            if (!read.IsCompleted)
                continue;
            // The sender may take long for a body, and the caller may have lost its right meanwhile.
            if (http.Features.Get<RequestCaller>() is { } caller)
                await caller.EnsureStillAllowedAsync();
            return null;
        }
    }

    /// <summary>
    /// Returns the next bytes. A body with malformed parts is the sender's fault, however the server reports it.
    /// </summary>
    private static async ValueTask<ReadResult> ReadOnAsync(PipeReader reader, CancellationToken cancel)
    {
        try
        {
            return await reader.ReadAsync(cancel);
        }
        catch (IOException fault) when (fault is not BadHttpRequestException)
        {
            // The server reports a chunk's size that is too large for a number as a failed connection.
            throw new BadHttpRequestException(
                "The body is malformed or incomplete",
                StatusCodes.Status400BadRequest,
                fault
            );
        }
    }

    /// <summary>
    /// Leaves the bytes for the next reader: the credential depended on them, and was already checked.
    /// </summary>
    public void PutBack(HttpContext http) => http.Features.Set(new ReadAlready(Bytes.ToArray()));

    private sealed record ReadAlready(byte[] Bytes)
    {
        public BodyBuffer Copy()
        {
            var copy = new BodyBuffer(null, Bytes.Length);
            copy.TryAdd(new ReadOnlySequence<byte>(Bytes));
            return copy;
        }
    }

    public static Refusal TooLarge { get; } =
        new(413, "Request body too large", "body_too_large") { ShouldRetry = false };

    /// <summary>Returns the body as UTF-8 text (<see cref="BodyEncoding"/>), or why it cannot be decoded.</summary>
    public Checked<ReadOnlyMemory<byte>> Text()
    {
        if (!BodyEncoding.Undo(Bytes, _contentType, _contentEncoding, _limit).Try(out var text, out var refusal))
            return refusal;
        if (text.Length == 0)
            return Empty with { ShouldRetry = false };
        return Utf8.IsValid(text.Span)
            ? text
            : Refusal.BadRequest("Request body must be UTF-8 text", "invalid_body") with
            {
                ShouldRetry = false,
            };
    }

    /// <summary>
    /// Returns the body as strict JSON (no duplicate names, depth 64), or what is wrong with it. Its names are valid
    /// text. Its texts may contain half of a character, or NUL; <see cref="Fields"/> handles those.
    /// </summary>
    /// <param name="emptyObject">An empty body stands for <c>{}</c>.</param>
    public Checked<JsonDocument> Parse(bool emptyObject = false)
    {
        if (!BodyEncoding.Undo(Bytes, _contentType, _contentEncoding, _limit).Try(out var text, out var refusal))
            return refusal;
        if (text.Length == 0)
            return emptyObject ? JsonDocument.Parse("{}") : Empty;
        if (!Utf8.IsValid(text.Span))
            return InvalidJson;
        try
        {
            return JsonDocument.Parse(MendedJson.NamesOf(text), Strict);
        }
        catch (JsonException)
        {
            return InvalidJson;
        }
    }

    private static Refusal Empty { get; } = Refusal.BadRequest("Request body is empty", "empty_body");

    private static Refusal InvalidJson { get; } = Refusal.BadRequest("Invalid JSON", "invalid_json");

    public void Dispose() => _buffer.Dispose();
}
