using Postern.Http;

namespace Postern.Pages;

/// <summary>A rendered page.</summary>
internal sealed class HtmlResult(int status, byte[] page) : IResult
{
    public async Task ExecuteAsync(HttpContext http)
    {
        ConsoleFamily.Instance.Prepare(http);
        http.Response.StatusCode = status;
        RefusalId.Write(http, status);
        http.Response.ContentType = "text/html; charset=utf-8";
        http.Response.ContentLength = page.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
            await http.Response.Body.WriteAsync(page, http.RequestAborted);
    }
}
