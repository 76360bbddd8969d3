using System.Text.Json;

namespace Postern.Http;

/// <summary>A JSON answer from a wire type.</summary>
internal sealed class Reply<T>(int status, T value) : IResult
{
    public Task ExecuteAsync(HttpContext http)
    {
        ErrorFormat.Of(http).Prepare(http);
        http.Response.StatusCode = status;
        var bytes = JsonSerializer.SerializeToUtf8Bytes(value, Wire.Json);
        http.Response.ContentType = "application/json; charset=utf-8";
        http.Response.ContentLength = bytes.Length;
        return http.Response.Body.WriteAsync(bytes).AsTask();
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
            http.Response.StatusCode = status;
            http.Response.ContentType = "application/json; charset=utf-8";
            http.Response.ContentLength = json.Length;
            return HttpMethods.IsHead(http.Request.Method)
                ? Task.CompletedTask
                : http.Response.Body.WriteAsync(json).AsTask();
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
