using System.Text.RegularExpressions;

namespace Postern.Support;

/// <summary>Calls the console's pages as a browser does, but without following redirects.</summary>
internal static partial class ConsoleCalls
{
    private const string Media = "application/x-www-form-urlencoded";

    public static async Task<Answer> ConsoleAsync(
        this TestServer server,
        ConsoleCookie cookie,
        HttpMethod method,
        string path,
        string? form = null
    )
    {
        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false };
        using var http = new HttpClient(handler) { BaseAddress = new Uri(server.Url) };
        using var request = new HttpRequestMessage(method, path);
        if (form is not null)
            request.Content = new StringContent(form, new System.Net.Http.Headers.MediaTypeHeaderValue(Media));
        foreach (var (name, value) in cookie.Headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await http.SendAsync(request);
        return new Answer(response, await response.Content.ReadAsByteArrayAsync());
    }

    /// <summary>Sends the form of a page with this action: its own fields, and the pressed button.</summary>
    public static string FormOf(Answer page, string action, string pressed)
    {
        var form = page.Text[page.Text.IndexOf(action + "\"", StringComparison.Ordinal)..];
        var fields = Own()
            .Matches(form)
            .Take(2)
            .Select(m => m.Groups[1].Value + "=" + Uri.EscapeDataString(m.Groups[2].Value));
        return string.Join('&', fields) + (pressed.Length == 0 ? "" : "&" + pressed);
    }

    /// <summary>What every form of the page's session contains.</summary>
    public static string CsrfOf(Answer page) =>
        Own().Matches(page.Text).First(m => m.Groups[1].Value == "_csrf").Groups[2].Value;

    [GeneratedRegex("<input type=\"hidden\" name=\"(_csrf|_once)\" value=\"([^\"]+)\"")]
    private static partial Regex Own();
}
