using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>One of the three files of the page for people. They are part of this binary.</summary>
/// <param name="extension"><c>.js</c>, <c>.css</c>, or nothing for the page itself.</param>
internal sealed class ApproveFile(string extension) : IResult
{
    public Task ExecuteAsync(HttpContext http)
    {
        var headers = http.Response.Headers;
        if (extension.Length == 0)
        {
            headers.ContentSecurityPolicy = ApprovePage.Policy("") + "; frame-ancestors 'none'";
            headers.XFrameOptions = "DENY";
            headers["X-Robots-Tag"] = "noindex, nofollow";
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
        }
        var (type, bytes) = extension switch
        {
            ".js" => ("text/javascript; charset=utf-8", ApprovePage.Script),
            ".css" => ("text/css; charset=utf-8", ApprovePage.Style),
            _ => ("text/html; charset=utf-8", ApprovePage.Html("")),
        };
        http.Response.ContentType = type;
        http.Response.ContentLength = bytes.Length;
        return http.Response.Body.WriteAsync(bytes, http.RequestAborted).AsTask();
    }
}
