using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>Pages are compressed, and a secret in them never appears in the same form twice.</summary>
public sealed partial class CompressedPageTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private ConsoleCookie _cookie = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        (_, _cookie) = await ConsoleCookie.OfAsync(_server, "admin");
        for (var i = 0; i < 50; i++)
            await _server.PostAsync("/api/v1/runs", new { agent = "echo", start = false });
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private Task<Answer> PageAsync(string path, string encoding) =>
        _server.SendAsync(HttpMethod.Get, path, null, null, [.. _cookie.Headers, ("Accept-Encoding", encoding)]);

    [Fact]
    public async Task A_list_is_a_tenth_of_its_size_and_the_same_page()
    {
        var plain = await PageAsync("/console/runs", "identity");
        var small = await PageAsync("/console/runs", "gzip, br");
        Assert.Null(plain.Header("Content-Encoding"));
        Assert.Equal("br", small.Header("Content-Encoding"));
        Assert.Equal(("Accept-Encoding", "Accept-Encoding"), (plain.Header("Vary"), small.Header("Vary")));
        Assert.True(small.Body.Length * 5 < plain.Body.Length, $"{small.Body.Length} of {plain.Body.Length}");
        using var open = new BrotliStream(new MemoryStream(small.Body), CompressionMode.Decompress);
        using var reader = new StreamReader(open, Encoding.UTF8);
        Assert.Equal(Same(plain.Text), Same(await reader.ReadToEndAsync()));

        // These differ each time: new ids, and how long ago.
        static string Same(string page) => Changing().Replace(page, "");
    }

    [Fact]
    public async Task A_forms_token_is_masked_anew_each_time_and_every_one_is_good_once()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < 3; i++)
        {
            var page = await PageAsync("/console/settings", "identity");
            foreach (Match token in Token().Matches(page.Text))
                Assert.True(seen.Add(token.Groups[1].Value), "it stands there twice");
        }
        Assert.True(seen.Count >= 6, "forms were found");
        foreach (var token in seen.Take(3))
            Assert.Equal(303, await SendAsync(token));
        var one = seen.First();
        var changed = one[..^2] + (one[^2] == 'A' ? "B" : "A") + one[^1];
        foreach (var wrong in (string[])["", changed, one + "AA", one[..43], new string('A', 86), "é" + one[1..]])
            Assert.Equal(403, await SendAsync(wrong));
    }

    private async Task<int> SendAsync(string token)
    {
        var form = $"_csrf={Uri.EscapeDataString(token)}&_once={Guid.NewGuid():N}&theme=dark&zone=UTC&times=ago";
        return (await _server.ConsoleAsync(_cookie, HttpMethod.Post, "/console/settings/look", form)).Status;
    }

    [GeneratedRegex(
        "name=\"(?:_csrf|_once)\" value=\"[^\"]+\"|datetime=\"[^\"]+\"|<time.*?</time>|data-after=\"[^\"]+\""
    )]
    private static partial Regex Changing();

    [GeneratedRegex("name=\"_csrf\" value=\"([^\"]+)\"")]
    private static partial Regex Token();
}
