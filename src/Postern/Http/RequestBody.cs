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
    private static readonly JsonDocumentOptions Strict = new()
    {
        AllowDuplicateProperties = false,
        MaxDepth = Wire.MaxDepth,
    };
    private readonly int _limit;
    private readonly string? _contentType;
    private readonly StringValues _contentEncoding;
    private byte[] _rented;

    private RequestBody(HttpRequest request, byte[] rented, int length, int limit)
    {
        (_rented, Length, _limit) = (rented, length, limit);
        (_contentType, _contentEncoding) = (request.ContentType, request.Headers.ContentEncoding);
    }

    public int Length { get; }

    /// <summary>The original bytes, which a signature covers.</summary>
    public ReadOnlyMemory<byte> Bytes => _rented.AsMemory(0, Length);

    /// <summary>Returns the body, or a 413.</summary>
    /// <param name="http">Nothing of its body has been read yet.</param>
    /// <param name="limit">Bytes; counted as they arrive when no length is declared.</param>
    public static async ValueTask<Checked<RequestBody>> ReadAsync(HttpContext http, int limit)
    {
        if (http.Request.ContentLength > limit)
            return TooLarge;
        if (http.Features.Get<ReadAlready>() is { } already)
            return already.Bytes.Length > limit
                ? TooLarge
                : new RequestBody(http.Request, already.Copy(), already.Bytes.Length, limit);
#pragma warning disable RS0030 // The one place where a body is read.
        var reader = http.Request.BodyReader;
#pragma warning restore RS0030
        var rented = ArrayPool<byte>.Shared.Rent((int)(http.Request.ContentLength ?? 4096) + 1);
        var length = 0;
        while (true)
        {
            var read = await ReadOnAsync(reader, http.RequestAborted);
            var arrived = read.Buffer;
            if (length + arrived.Length > limit)
            {
                reader.AdvanceTo(arrived.End);
                ArrayPool<byte>.Shared.Return(rented);
                return TooLarge;
            }
            if (length + arrived.Length > rented.Length)
                rented = Grow(rented, length, (int)(length + arrived.Length));
            arrived.CopyTo(rented.AsSpan(length));
            length += (int)arrived.Length;
            reader.AdvanceTo(arrived.End);
            if (!read.IsCompleted)
                continue;
            // The sender may take long for a body, and the caller may have lost its right meanwhile.
            if (http.Features.Get<RequestCaller>() is { } caller)
                await caller.EnsureStillAllowedAsync();
            return new RequestBody(http.Request, rented, length, limit);
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
        public byte[] Copy()
        {
            var rented = ArrayPool<byte>.Shared.Rent(Bytes.Length + 1);
            Bytes.CopyTo(rented, 0);
            return rented;
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

    public void Dispose()
    {
        var rented = Interlocked.Exchange(ref _rented, []);
        if (rented.Length > 0)
            ArrayPool<byte>.Shared.Return(rented);
    }

    private static byte[] Grow(byte[] old, int used, int needed)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, old.Length * 2));
        old.AsSpan(0, used).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(old);
        return larger;
    }
}
