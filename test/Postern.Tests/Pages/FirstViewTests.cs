using System.Text.RegularExpressions;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>
/// A first view of a page is at most ten requests: the page, and the files that it and its modules name. Without its
/// data it is at most 40 KB as a browser gets it; the overview with its charts 65 KB.
/// </summary>
public sealed partial class FirstViewTests : IAsyncLifetime
{
    private const int MostRequests = 10;
    private const int MostBytes = 40_000;
    private const int MostBytesWithCharts = 65_000;
    private TestServer _server = null!;
    private ConsoleCookie _cookie = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        (_, _cookie) = await ConsoleCookie.OfAsync(_server, "admin");
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Of_every_kind_of_page_is_small_and_few_requests()
    {
        var session = (await _server.StartSessionAsync("hello")).String("id");
        await _server.SayAsync("hello", "Hello.");
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", _server.RootKey, new { kind = "pull" });
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
        foreach (
            var path in (string[])
                [
                    "",
                    "/sessions",
                    "/sessions/" + session,
                    "/runs",
                    "/runs/" + run,
                    "/approvals",
                    "/deliveries",
                    "/triggers",
                    "/keys",
                    "/server",
                    "/settings",
                    "/sign-in",
                ]
        )
        {
            var files = await FilesAsync(path);
            Assert.True(files.Count > 3, $"{path}: its files were found");
            Assert.True(
                files.Count + 1 <= MostRequests,
                $"{path} takes {files.Count + 1} requests: {string.Join(", ", files.Keys)}"
            );
            var bytes = files.Values.Sum() + (await ReadAsync("/console" + path, "br")).Body.Length;
            Assert.InRange(bytes, 1, path.Length == 0 ? MostBytesWithCharts : MostBytes);
        }
    }

    /// <summary>Returns the files of a page with their compressed sizes, the picture of its tab too.</summary>
    private async Task<Dictionary<string, int>> FilesAsync(string path)
    {
        var page = await ReadAsync("/console" + path, "identity");
        Assert.Equal(200, page.Status);
        var left = new Queue<string>(Named().Matches(page.Text).Select(m => m.Groups[1].Value));
        var sizes = new Dictionary<string, int>(StringComparer.Ordinal);
        while (left.TryDequeue(out var file))
        {
            if (sizes.ContainsKey(file))
                continue;
            var packed = await ReadAsync(file, "br");
            Assert.Equal((200, "br"), (packed.Status, packed.Header("Content-Encoding")));
            sizes[file] = packed.Body.Length;
            if (!file.EndsWith(".js", StringComparison.Ordinal))
                continue;
            var folder = file[..(file.LastIndexOf('/') + 1)];
            var text = (await ReadAsync(file, "identity")).Text;
            foreach (Match import in Imported().Matches(text))
                left.Enqueue(folder + import.Groups[1].Value);
        }
        return sizes;
    }

    private Task<Answer> ReadAsync(string path, string encoding) =>
        _server.SendAsync(HttpMethod.Get, path, null, null, [.. _cookie.Headers, ("Accept-Encoding", encoding)]);

    [GeneratedRegex("(?:href|src)=\"([^\"#]*/assets/[^\"#]+)")]
    private static partial Regex Named();

    [GeneratedRegex("(?:import|from)\\s*\\(?['\"]\\./([a-z-]+\\.js)['\"]")]
    private static partial Regex Imported();
}
