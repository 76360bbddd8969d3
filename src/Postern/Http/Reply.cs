using System.Text.Json;

namespace Postern.Http;

/// <summary>A JSON answer from a wire type.</summary>
internal sealed class Reply<T>(int status, T value) : IResult
{
    public Task ExecuteAsync(HttpContext http)
    {
        ErrorFormat.Of(http).Prepare(http);
        return AnswerBody.SendAsync(
            http,
            JsonSerializer.SerializeToUtf8Bytes(value, Wire.Json),
            response => (response.StatusCode, response.ContentType) = (status, "application/json; charset=utf-8")
        );
    }
}

internal static class Reply
{
    public static IResult Ok<T>(T value) => new Reply<T>(200, value);

    public static IResult Created<T>(T value) => new Reply<T>(201, value);

    public static IResult Json<T>(int status, T value) => new Reply<T>(status, value);

    public static IResult Bytes(int status, ReadOnlyMemory<byte> json) => new BytesReply(status, json);

    public static IResult NoContent { get; } = new EmptyReply();

    private sealed class BytesReply(int status, ReadOnlyMemory<byte> json) : IResult
    {
        public Task ExecuteAsync(HttpContext http)
        {
            ErrorFormat.Of(http).Prepare(http);
            return AnswerBody.SendAsync(
                http,
                json,
                response => (response.StatusCode, response.ContentType) = (status, "application/json; charset=utf-8")
            );
        }
    }

    private sealed class EmptyReply : IResult
    {
        public Task ExecuteAsync(HttpContext http)
        {
            ErrorFormat.Of(http).Prepare(http);
            http.Response.StatusCode = 204;
            return Task.CompletedTask;
        }
    }
}
