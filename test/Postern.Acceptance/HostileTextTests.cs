using Microsoft.Playwright;
using Postern.Access;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Every page of the console, by the door table, on a server where every text attacks the viewer: it is shown, and
/// never run.
/// </summary>
public sealed class HostileTextTests : IAsyncLifetime
{
    private static readonly string[] Seen = ["\u202E", "\u2066", "\u200B", "\u2028", "\u00AD", "\uFEFF"];
    private TimeWorld _world = null!;
    private HostileWorld _hostile = null!;
    private ConsoleBrowser _browser = null!;

    public async ValueTask InitializeAsync()
    {
        _world = await TimeWorld.StartAsync(Backend.Sqlite);
        _hostile = await HostileWorld.MakeAsync(_world.Server, _world.Receiver);
        _browser = await ConsoleBrowser.StartAsync(_world.Server);
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        await _world.DisposeAsync();
    }

    [Fact]
    public async Task Hostile_text_is_shown_on_every_page_and_never_run()
    {
        var page = await _browser.SignedInAsync(_world.Admin);
        var (said, asked) = (new List<string>(), new List<string>());
        page.Console += (_, message) =>
        {
            // A page may well be answered with 400: what was asked is hostile too.
            if (!message.Text.StartsWith("Failed to load resource: the server responded", StringComparison.Ordinal))
                said.Add($"{page.Url}: {message.Text}");
        };
        page.PageError += (_, error) => said.Add($"{page.Url}: {error}");
        page.Request += (_, request) => asked.Add(request.Url);
        page.Dialog += (_, dialog) => said.Add($"{page.Url} opens a dialog: {dialog.Message}");
        var doors = _world
            .Server.Doors.Table.Where(d =>
                d is { Method: "GET", Credentials: Credentials.Console }
                && !d.Path.EndsWith("/live", StringComparison.Ordinal)
            )
            .ToList();
        Assert.True(doors.Count > 10, "the pages were found");
        foreach (var door in doors)
        {
            var path = await PathOfAsync(door);
            await LookAsync(page, path, 200);
            // An unknown filter: the page shows the request again.
            var query = $"{Uri.EscapeDataString(HostileWorld.Texts[1])}={Uri.EscapeDataString(HostileWorld.Texts[0])}";
            await LookAsync(page, path + (path.Contains('?') ? "&" : "?") + query, null);
        }
        foreach (var path in (string[])["?tab=records&channel=in", "?tab=records", "?tab=facts", "?text=script"])
            await LookAsync(page, $"/console/sessions/{_hostile.IdOf("session")}{path}", 200);
        foreach (var text in HostileWorld.Texts)
        {
            await LookAsync(page, "/console/runs?agent=" + Uri.EscapeDataString(text), null);
            await LookAsync(page, "/console/sessions?text=" + Uri.EscapeDataString(text), null);
            await LookAsync(page, "/console/find?q=" + Uri.EscapeDataString(text), null);
        }
        Assert.True(said.Count == 0, string.Join('\n', said.Take(20)));
        Assert.All(asked, url => Assert.StartsWith(_world.Server.Url, url, StringComparison.Ordinal));

        await page.GotoAsync($"{_world.Server.Url}/console/sessions/{_hostile.IdOf("session")}");
        var shown = await page.InnerTextAsync("main");
        Assert.Contains("a\\u{202e}b\\u{2066}c\\u{200b}d", shown, StringComparison.Ordinal);
        Assert.Contains("<img src=x onerror=", shown, StringComparison.Ordinal);
    }

    /// <summary>Of the hostile thing, if there is one; else of an ordinary one.</summary>
    private async Task<string> PathOfAsync(Door door)
    {
        // The page's required parameters are in the ordinary request.
        if (!door.Path.Contains('{'))
            return (await DoorRequests.OfAsync(door, new TimeScene(_world))).Path;
        var parts = door.Path.Split('/');
        for (var i = 0; i < parts.Length; i++)
        {
            if (!parts[i].StartsWith('{'))
                continue;
            if (_hostile.IdOf(parts[i].Trim('{', '}')) is not { } id)
                return (await DoorRequests.OfAsync(door, new TimeScene(_world))).Path;
            parts[i] = id;
        }
        return string.Join('/', parts);
    }

    private async Task LookAsync(IPage page, string path, int? status)
    {
        var answer = (await page.GotoAsync(_world.Server.Url + path))!;
        Assert.True(status is null ? answer.Status < 500 : answer.Status == status, $"{path}: {answer.Status}");
        var found = await AskAsync(page, path);
        Assert.True(found.Title != HostileWorld.Taken, path);
        Assert.True(!Seen.Any(s => found.Text.Contains(s, StringComparison.Ordinal)), $"{path} shows what hides");
        Assert.True(found.Odd.Length == 0, $"{path}:\n{string.Join('\n', found.Odd)}");
    }

    /// <summary>One question for all of a page. A page whose scripts never end is named.</summary>
    private static async Task<Found> AskAsync(IPage page, string path)
    {
        try
        {
            return await page.EvaluateAsync<Found>(Look).WaitAsync(TimeSpan.FromSeconds(60));
        }
        catch (TimeoutException fault)
        {
            throw new TimeoutException($"{path} does not answer; it is at {page.Url}", fault);
        }
    }

    private sealed class Found
    {
        public string Title { get; set; } = "";
        public string Text { get; set; } = "";
        public string[] Odd { get; set; } = [];
    }

    private const string Look = """
        () => ({
          Title: document.title,
          Text: document.body.innerText,
          Odd: [...document.querySelectorAll('*')].filter(e =>
            [...e.attributes].some(a => a.name.startsWith('on') || a.name === 'style' ||
              (/^(href|src|action|formaction)$/.test(a.name) && /^\s*(javascript|data):/i.test(a.value)))
            || ['IFRAME', 'OBJECT', 'EMBED', 'BASE', 'STYLE', 'IMG'].includes(e.tagName)
            || (e.tagName === 'SCRIPT' && !e.src)
            || (e.tagName === 'FORM'
              && !new URL(e.getAttribute('action') || '', location).href.startsWith(location.origin)))
            .map(e => e.outerHTML.slice(0, 200)),
        })
        """;
}
