using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

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
        var (code, output, error) = await Node.RunAsync(
            $"chat.mjs {scenario}",
            new() { ["TRIGGER_API_URL"] = chat.Server.Url, ["TRIGGER_SECRET_KEY"] = chat.Server.RootKey }
        );
        Assert.True(code == 0, output + error);
        Assert.Contains("ok " + scenario, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_sdk_accepts_the_key_behind_its_own_prefix()
    {
        var (code, output, error) = await Node.RunAsync(
            "chat.mjs publicToken",
            new() { ["TRIGGER_API_URL"] = chat.Server.Url, ["TRIGGER_SECRET_KEY"] = "tr_prod_" + chat.Server.RootKey }
        );
        Assert.True(code == 0, output + error);
    }

    [Fact]
    public async Task An_event_source_follows_history_and_resumes_after_it_was_cut_off()
    {
        using var http = chat.Server.Client(chat.Server.RootKey);
        for (var i = 1; i <= 3; i++)
            await WriteAsync(http, i);
        await using var cut = await CuttingProxy.StartAsync(new Uri(chat.Server.Url).Port);
        using var client = Node.Start(
            $"history.mjs http://127.0.0.1:{cut.Port}/sessions/followed/history {chat.Server.RootKey} 9",
            []
        );
        await Node.LineAsync(client.StandardError, "seen 3");
        for (var i = 4; i <= 6; i++)
            await WriteAsync(http, i);
        await Node.LineAsync(client.StandardError, "seen 6");
        cut.CutAll();
        for (var i = 7; i <= 9; i++)
            await WriteAsync(http, i);
        var seqs = JsonSerializer.Deserialize<int[]>(await client.StandardOutput.ReadToEndAsync());
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9], seqs!);

        static async Task WriteAsync(HttpClient http, int i)
        {
            using var answer = await http.PostAsJsonAsync(
                "/sessions/followed/messages",
                new { role = "user", content = $"message {i}" }
            );
            Assert.Equal(201, (int)answer.StatusCode);
        }
    }
}
