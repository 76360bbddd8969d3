using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Tests.Relay;

/// <summary>The page on which people answer, as a relay serves it, and the relay's document.</summary>
public sealed class PageRelayTests
{
    [Fact]
    public async Task The_relays_document_shows_all_that_is_not_a_page()
    {
        await using var relay = await RelayNode.StartAsync();
        var document = await relay.SendAsync(HttpMethod.Get, "/openapi.json");
        Assert.Equal(200, document.Status);
        var paths = document.Json.GetProperty("paths");
        Assert.Equal(
            relay.Doors.Table.Count(d => !d.Hidden),
            paths.EnumerateObject().Sum(p => p.Value.EnumerateObject().Count())
        );
        Assert.True(paths.TryGetProperty("/relay/v1/pages/{plane}/{page}/answers", out _));
    }

    /// <summary>A changed script has another digest, which is also in the document.</summary>
    [Fact]
    public void The_digests_of_this_release_stand_in_the_documents()
    {
        var document = File.ReadAllText(Repository.File("docs/relay.md"));
        foreach (var file in new[] { ApprovePage.Script, ApprovePage.Style })
            Assert.Contains(ApprovePage.IntegrityOf(file), document, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_page_allows_its_own_script_and_nothing_else()
    {
        await using var relay = await RelayNode.StartAsync();
        var html = await relay.SendAsync(HttpMethod.Get, "/approve");
        var policy = html.Header("Content-Security-Policy")!;
        var script = await relay.SendAsync(HttpMethod.Get, "/approve.js");
        var digest =
            "sha384-"
            + Convert.ToBase64String(
                System.Security.Cryptography.SHA384.HashData(System.Text.Encoding.UTF8.GetBytes(script.Text))
            );
        Assert.StartsWith($"default-src 'none'; script-src '{digest}';", policy, StringComparison.Ordinal);
        Assert.Contains("require-trusted-types-for 'script'; trusted-types 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Contains($"integrity=\"{digest}\"", html.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("{", html.Text, StringComparison.Ordinal);
        Assert.Equal("no-referrer", html.Header("Referrer-Policy"));
        Assert.StartsWith("text/javascript", script.Header("Content-Type"), StringComparison.Ordinal);
        var style = await relay.SendAsync(HttpMethod.Get, "/approve.css");
        Assert.StartsWith("text/css", style.Header("Content-Type"), StringComparison.Ordinal);
        foreach (var word in new[] { "innerHTML", "eval(", "document.write", "insertAdjacentHTML", "DOMParser" })
            Assert.DoesNotContain(word, script.Text, StringComparison.Ordinal);
    }
}
