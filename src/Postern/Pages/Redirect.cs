using Postern.Http;

namespace Postern.Pages;

/// <summary>A 303 to a page, so that going back or reloading sends nothing again.</summary>
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
