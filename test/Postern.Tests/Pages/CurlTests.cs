using System.Diagnostics;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Postern.Access;
using Postern.Pages;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>
/// A command that a page offers to copy runs in <c>sh</c> as pasted, whatever it contains, and shows the API's answer.
/// </summary>
public sealed partial class CurlTests(CurlTests.World world) : IClassFixture<CurlTests.World>
{
    public sealed class World : IAsyncLifetime
    {
        internal TimeWorld Time { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Time = await TimeWorld.StartAsync(Backend.Sqlite);

        public ValueTask DisposeAsync() => Time.DisposeAsync();
    }

    public static TheoryData<string> Pages()
    {
        var pages = new TheoryData<string>();
        foreach (var line in File.ReadAllLines(Repository.File("doors.txt")))
            if (
                line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is ["GET", var path, "Console", ..]
                && !path.EndsWith("/live", StringComparison.Ordinal)
            )
                pages.Add(path);
        return pages;
    }

    /// <summary>Makes curl fail for a refused request.</summary>
    private const string Strict = "curl() { command curl --fail-with-body \"$@\"; }\n";

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task The_commands_that_a_page_offers_to_copy_succeed(string path)
    {
        var server = world.Time.Server;
        var door = server.Doors.Table.Single(d => d.Method == "GET" && d.Path == path);
        var request = await DoorRequests.OfAsync(door, new TimeScene(world.Time));
        var (_, cookie) = await ConsoleCookie.OfAsync(server, request.Scope is { } scope ? [scope] : ["admin"]);
        var page = await server.SendAsync(HttpMethod.Get, request.Path, null, null, cookie.Headers);
        Assert.True(page.Status == 200, $"{request.Path}: {page.Status}");
        Assert.DoesNotContain(server.RootKey, page.Text, StringComparison.Ordinal);
        var commands = Offered()
            .Matches(page.Text)
            .SelectMany(box => Command().Matches(box.Groups["box"].Value))
            .ToList();
        foreach (var (offered, number) in commands.Select((m, i) => (m, i)))
        {
            var command = WebUtility.HtmlDecode(offered.Groups["command"].Value);
            // The pasting person must fill in redacted values, the id of a run, and the code of a relay.
            if (
                command.Contains('…', StringComparison.Ordinal)
                || command.Contains("$SECRET", StringComparison.Ordinal)
                || command.Contains("$RUN", StringComparison.Ordinal)
            )
                continue;
            var (code, said) = await RunAsync(Strict + command, server.Url, world.Time.Admin);
            // One button may block the next: a paused trigger is not started.
            var isInTheWay = number > 0 && said.Contains("error: 409", StringComparison.Ordinal);
            Assert.True(code == 0 || isInTheWay, $"{request.Path}: {command}\n{code} {said}");
            if (said.Length > 0 && !isInTheWay)
                Assert.NotEqual(JsonValueKind.Undefined, JsonSerializer.Deserialize<JsonElement>(said).ValueKind);
        }
    }

    public static TheoryData<string> Bodies =>
        [
            "{\"a\":\"it's $HOME `id` \\\"quoted\\\" \\\\ !! %s\"}",
            "{\n\"a\":\n\"END\"\n}\nEND\nEND_\n",
            "{\"a\":\"" + new string('ä', 5_000) + "' $(id)\"}",
            "{\"a\":\"\u2028\u202e\t\"}",
        ];

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task A_body_comes_as_it_was(string body)
    {
        await using var receiver = await Receiver.StartAsync();
        var command = Curl.Send("POST", "/a%20b?c='d'&e=$HOME", body);
        var (code, said) = await RunAsync(command, receiver.Origin, "a key");
        Assert.True(code == 0, command + said);
        var taken = Assert.Single(receiver.Taken);
        Assert.Equal(body.TrimEnd('\n'), taken.Body.TrimEnd('\n'));
        Assert.Equal("Bearer a key", taken.Headers.Authorization);
    }

    [Fact]
    public void A_body_that_is_too_long_is_left_out_and_said_to_be()
    {
        var command = Curl.Send("POST", "/a", new string('x', (64 * 1024) + 1));
        Assert.True(command.Length < 500);
        Assert.Contains("# the body has 65537 bytes and is left out", command, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Said)> RunAsync(string command, string url, string key)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", command])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
            Environment = { ["U"] = url, ["KEY"] = key },
        };
        using var shell = Process.Start(start)!;
        var (said, faults) = (shell.StandardOutput.ReadToEndAsync(), shell.StandardError.ReadToEndAsync());
        await shell.WaitForExitAsync();
        return (shell.ExitCode, await said + await faults);
    }

    [GeneratedRegex(
        "<details class=\"curl\">(?<box>.*?)</details>",
        RegexOptions.Singleline | RegexOptions.ExplicitCapture,
        1000
    )]
    private static partial Regex Offered();

    [GeneratedRegex(
        "<pre tabindex=\"0\">(?<command>.*?)</pre>",
        RegexOptions.Singleline | RegexOptions.ExplicitCapture,
        1000
    )]
    private static partial Regex Command();
}
