namespace Postern.Http;

/// <summary>
/// The id of the audit row of a refused request, as its answer shows it: on 401, 403 and 429 and on no other status,
/// since what is missing and what is not for the caller look alike.
/// </summary>
internal sealed record RefusalId(string Text)
{
    public const string Header = "X-Refusal-Id";

    /// <summary>Returns whether an answer of this status shows the id.</summary>
    public static bool IsShownOn(int status) => status is 401 or 403 or 429;

    /// <summary>Sets the header where the request was refused and the status shows it.</summary>
    public static void Write(HttpContext http, int status)
    {
        if (IsShownOn(status) && http.Features.Get<RefusalId>() is { } id)
            http.Response.Headers[Header] = id.Text;
    }
}
