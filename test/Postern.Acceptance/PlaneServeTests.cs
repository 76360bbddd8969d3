using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>The program behind a relay, as a person runs it: commands, and a server that listens nowhere.</summary>
public sealed class PlaneServeTests
{
    private const string Listening = "0A";

    [Fact]
    public async Task A_server_that_listens_nowhere_answers_through_its_relay()
    {
        var folder = Directory.CreateTempSubdirectory("postern-plane-").FullName;
        await using var relay = await TestRelay.StartAsync();
        var environment = new Dictionary<string, string> { ["POSTERN_Relay__DangerousPlainHttp"] = "true" };
        await using (var first = await ServerProcess.StartAsync($"--data {folder} --urls http://127.0.0.1:0"))
        {
            using var http = first.Client(first.RootKey);
            (await http.PutAsJsonAsync("/api/v1/agents/idle", new { kind = "pull" })).EnsureSuccessStatusCode();
            (
                await http.PostAsJsonAsync("/api/triggers/user/u/open", new { agent = "idle", promptTemplate = "work" })
            ).EnsureSuccessStatusCode();
            foreach (var (id, scheme) in ((string, string)[])[("a", "github"), ("b", "github"), ("c", "gitlab")])
                (
                    await http.PostAsJsonAsync(
                        "/api/triggers/user/u/" + id,
                        new
                        {
                            agent = "idle",
                            promptTemplate = "work",
                            webhookAuth = new { scheme, secret = "one secret for all of them" },
                        }
                    )
                ).EnsureSuccessStatusCode();
            Assert.Equal(0, await first.TerminateAsync());
        }
        var refused = await PosternCommand.RunAsync($"serve --data {folder} --urls none", environment);
        Assert.Contains("needs a relay", refused.Out + refused.Error, StringComparison.Ordinal);
        var joined = await PosternCommand.RunAsync($"plane join {relay.Code} --data {folder}", environment);
        Assert.Contains(relay.Key.Public.Fingerprint, joined.Out + joined.Error, StringComparison.Ordinal);

        var again = await PosternCommand.RunAsync($"plane join {relay.Code} --data {folder}", environment);
        Assert.Equal((0, joined.Out), (again.Code, again.Out));
        var status = await PosternCommand.RunAsync($"plane status --data {folder}", environment);
        Assert.Contains("takes this server", status.Out, StringComparison.Ordinal);
        var doctor = await PosternCommand.RunAsync($"doctor --data {folder}", environment);
        Assert.Contains($"takes this server as {relay.Plane}", doctor.Out, StringComparison.Ordinal);
        Assert.Contains("user/u/c is not relayed", doctor.Out, StringComparison.Ordinal);
        Assert.Contains("have the same secret", doctor.Out, StringComparison.Ordinal);

        await using var server = await ServerProcess.StartAsync($"--data {folder} --urls none", environment);
        var connection = await relay.ConnectionAsync();
        var frame = relay.Seal(
            new RelayedRequest("POST", "/inbound/user/u/open", "203.0.113.7", [], Encoding.UTF8.GetBytes("{}"))
        );
        await connection.SendAsync(frame);
        Assert.Equal(200, (await relay.AnswerAsync(((EnvelopeHead)frame.Head).Id)).Status);
        Assert.Empty(SocketsThatListen(server.Id));
        Assert.Contains(relay.Plane, server.Output, StringComparison.Ordinal);
        Assert.Equal(0, await server.TerminateAsync());
    }

    /// <summary>The listening sockets of a process, by the kernel's own tables.</summary>
    private static List<string> SocketsThatListen(int process)
    {
        var own = Directory
            .EnumerateFileSystemEntries($"/proc/{process.ToString(CultureInfo.InvariantCulture)}/fd")
            .Select(fd => new FileInfo(fd).LinkTarget ?? "")
            .Where(target => target.StartsWith("socket:[", StringComparison.Ordinal))
            .Select(target => target["socket:[".Length..^1])
            .ToHashSet(StringComparer.Ordinal);
        return
        [
            .. new[] { "/proc/net/tcp", "/proc/net/tcp6" }
                .SelectMany(table => File.ReadLines(table).Skip(1))
                .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Where(row => row[3] == Listening && own.Contains(row[9]))
                .Select(row => row[1]),
        ];
    }
}
