using System.Net.Http.Headers;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>
/// Every form of the console, from the table of doors. Without the token of a page of the same session, with another
/// session's token, or from another origin, it is refused and audited, and nothing is written. Sent correctly
/// afterwards it works, so that was the only reason.
/// </summary>
public sealed class FormDoorTests(FormDoorTests.World world) : IClassFixture<FormDoorTests.World>
{
    public sealed class World : IAsyncLifetime
    {
        internal TimeWorld Time { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Time = await TimeWorld.StartAsync(Backend.Sqlite);

        public ValueTask DisposeAsync() => Time.DisposeAsync();
    }

    public static TheoryData<string> Forms()
    {
        var forms = new TheoryData<string>();
        foreach (var line in File.ReadAllLines(Repository.File("doors.txt")))
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is ["POST", var path, "Console", ..])
                forms.Add(path);
        return forms;
    }

    [Fact]
    public void Every_door_of_a_console_session_that_is_no_page_is_a_form()
    {
        Assert.True(Forms().Count > 10, "the forms were found");
        Assert.DoesNotContain(
            world.Time.Server.Doors.Table,
            d => d.Credentials == Credentials.Console && d.Method is not ("GET" or "POST")
        );
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task A_form_from_outside_the_session_does_nothing(string path)
    {
        var server = world.Time.Server;
        var door = server.Doors.Table.Single(d => d.Method == "POST" && d.Path == path);
        var request = await DoorRequests.OfAsync(door, new TimeScene(world.Time));
        string[] scopes = request.Scope is { } scope ? [scope] : ["read:runs"];
        var (_, cookie) = await ConsoleCookie.OfAsync(server, scopes);
        var (_, other) = await ConsoleCookie.OfAsync(server, scopes);
        var fields = (string?)request.Body ?? "";
        var once = Guid.NewGuid().ToString("N");
        var mark = await world.Time.MarkAsync();
        foreach (
            var (form, headers) in ((string, (string, string)[])[])
                [
                    ($"_once={once}&{fields}", []),
                    ($"_csrf=&_once={once}&{fields}", []),
                    ($"_csrf={other.FormToken}&_once={once}&{fields}", []),
                    ($"_csrf={cookie.FormToken[..^1]}&_once={once}&{fields}", []),
                    (cookie.Form(fields, once), [("Origin", "https://evil.example")]),
                    (cookie.Form(fields, once), [("Origin", "null")]),
                    (cookie.Form(fields, once), [("Sec-Fetch-Site", "cross-site")]),
                    (cookie.Form(fields, once), [("Sec-Fetch-Site", "same-site"), ("Origin", server.Url)]),
                ]
        )
        {
            var (status, text) = await SendAsync(request.Path, cookie, form, headers);
            Assert.True(status == 403, $"{form} {string.Join(' ', headers)}: {status}\n{text}");
            Assert.Contains("not from a page of your session", text, StringComparison.Ordinal);
        }
        var (written, rows) = await world.Time.WrittenSinceAsync(mark);
        Assert.True(written.Count == 0 && rows == 0, $"{rows} rows:\n{string.Join('\n', written)}");
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/audit?limit=200")).Text.Contains("foreign_form", StringComparison.Ordinal)
        );
        var sent = await SendAsync(
            request.Path,
            cookie,
            cookie.Form(fields, once),
            [("Sec-Fetch-Site", "same-origin")]
        );
        Assert.True(sent.Status == (request.Success ?? 303), $"{sent.Status}\n{sent.Text}");
    }

    /// <summary>Redirects are not followed.</summary>
    private async Task<(int Status, string Text)> SendAsync(
        string path,
        ConsoleCookie cookie,
        string form,
        (string Name, string Value)[] headers
    )
    {
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
        using var request = new HttpRequestMessage(HttpMethod.Post, world.Time.Server.Url + path)
        {
            Content = new StringContent(form, new MediaTypeHeaderValue("application/x-www-form-urlencoded")),
        };
        foreach (var (name, value) in (IEnumerable<(string, string)>)[.. cookie.Headers, .. headers])
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
