using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>One server of the real program for all scenarios of the real clients.</summary>
public sealed class ChatServer : IAsyncLifetime
{
    private string _folder = "";

    /// <summary>A key that the command line makes: with rights that are handed on in no other way.</summary>
    internal async Task<string> KeyAsync(string name, string scopes)
    {
        var made = await PosternCommand.RunAsync($"keys create {name} --scopes {scopes} --data {_folder}");
        Assert.True(made.Code == 0, made.Out + made.Error);
        return made.Out.Trim().Split('\n')[^1];
    }

    internal ServerProcess Server { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _folder = Directory.CreateTempSubdirectory("postern-acceptance-").FullName;
        Server = await ServerProcess.StartAsync($"--data {_folder} --urls http://127.0.0.1:0", new Dictionary<string, string> { ["POSTERN_RateLimits__ProjectBurst"] = "0", ["POSTERN_RateLimits__TokenBurst"] = "0" });
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

public sealed class RealClientTests(ChatServer chat) : IClassFixture<ChatServer>
{
    [Theory]
    [InlineData("lifecycle")]
    [InlineData("publicToken")]
    [InlineData("startAction")]
    [InlineData("twoTurnsAndAStop")]
    [InlineData("reload")]
    public async Task The_sdk_runs_unmodified(string scenario)
    {
        var (code, output, error) = await Node.RunAsync($"chat.mjs {scenario}", new() { ["TRIGGER_API_URL"] = chat.Server.Url, ["TRIGGER_SECRET_KEY"] = chat.Server.RootKey });
        Assert.True(code == 0, output + error);
        Assert.Contains("ok " + scenario, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_sdk_accepts_the_key_behind_its_own_prefix()
    {
        var (code, output, error) = await Node.RunAsync("chat.mjs publicToken", new() { ["TRIGGER_API_URL"] = chat.Server.Url, ["TRIGGER_SECRET_KEY"] = "tr_prod_" + chat.Server.RootKey });
        Assert.True(code == 0, output + error);
    }

    [Fact]
    public async Task An_event_source_follows_history_and_resumes_after_it_was_cut_off()
    {
        using var http = chat.Server.Client(chat.Server.RootKey);
        for (var i = 1; i <= 3; i++) await WriteAsync(http, i);
        await using var cut = await CuttingProxy.StartAsync(new Uri(chat.Server.Url).Port);
        using var client = Node.Start($"history.mjs http://127.0.0.1:{cut.Port}/sessions/followed/history {chat.Server.RootKey} 9", []);
        await Node.LineAsync(client.StandardError, "seen 3");
        for (var i = 4; i <= 6; i++) await WriteAsync(http, i);
        await Node.LineAsync(client.StandardError, "seen 6");
        cut.CutAll();
        for (var i = 7; i <= 9; i++) await WriteAsync(http, i);
        var seqs = JsonSerializer.Deserialize<int[]>(await client.StandardOutput.ReadToEndAsync());
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9], seqs!);

        static async Task WriteAsync(HttpClient http, int i)
        {
            using var answer = await http.PostAsJsonAsync("/sessions/followed/messages", new { role = "user", content = $"message {i}" });
            Assert.Equal(201, (int)answer.StatusCode);
        }
    }
}

/// <summary>Node with the clients' folder.</summary>
internal static class Node
{
    private static readonly string Clients = Repository.File("test/Postern.Acceptance/clients");

    public static Process Start(string arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(Repository.Node, arguments) { WorkingDirectory = Clients, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    public static async Task<(int Code, string Out, string Error)> RunAsync(string arguments, Dictionary<string, string> environment)
    {
        using var process = Start(arguments, environment);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(120));
        return (process.ExitCode, await output, await error);
    }

    public static async Task LineAsync(StreamReader from, string line)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await from.ReadLineAsync(patience.Token) is { } read) if (read == line) return;
        Assert.Fail("The client ended before it said: " + line);
    }
}
