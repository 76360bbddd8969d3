using Postern.Http;

namespace Postern.Pages;

/// <summary>303 to a page: going back or reloading sends nothing a second time.</summary>
internal sealed class Redirect(string path) : IResult
{
    public string Path => path;

    public Task ExecuteAsync(HttpContext http)
    {
        ConsoleFamily.Instance.Prepare(http);
        http.Response.StatusCode = StatusCodes.Status303SeeOther;
        http.Response.Headers.Location = path;
        return Task.CompletedTask;
    }
}
