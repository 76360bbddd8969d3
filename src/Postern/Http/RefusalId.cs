namespace Postern.Http;

/// <summary>
/// The id of a refused request's audit row, in the answer. Only on 401, 403 and 429, because a missing thing and one
/// that is not for the caller must look alike.
/// </summary>
internal sealed record RefusalId(string Text)
{
    public const string Header = "X-Refusal-Id";

    /// <summary>Returns whether an answer with this status contains the id.</summary>
    public static bool IsShownOn(int status) => status is 401 or 403 or 429;

    /// <summary>Sets the header when the request was refused and the status allows it.</summary>
    public static void Write(HttpContext http, int status)
    {
        if (IsShownOn(status) && http.Features.Get<RefusalId>() is { } id)
            http.Response.Headers[Header] = id.Text;
    }
}
