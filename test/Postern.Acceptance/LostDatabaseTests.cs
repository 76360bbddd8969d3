using System.Net;
using System.Net.Http.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The file of the database is moved or deleted while the server runs: nothing is acknowledged any more.
/// </summary>
public sealed class LostDatabaseTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-lost-").FullName;

    private string Data => Path.Combine(_folder, "data");

    private string File(string suffix = "") => Path.Combine(Data, "postern.db" + suffix);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("")]
    [InlineData("-wal")]
    public async Task A_write_is_refused_while_the_file_or_its_log_is_gone_and_taken_when_it_is_back(string suffix)
    {
        await using var server = await ServerProcess.StartAsync($"--data {Data} --urls http://127.0.0.1:0");
        using var http = server.Client(server.RootKey);
        Assert.Equal(HttpStatusCode.Accepted, await RunAsync(http));
        System.IO.File.Move(File(suffix), Path.Combine(_folder, "away"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await RunAsync(http));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await http.GetAsync("/readyz")).StatusCode);
        await server.SaysAsync("was moved or deleted");

        System.IO.File.Move(Path.Combine(_folder, "away"), File(suffix));
        Assert.Equal(HttpStatusCode.Accepted, await RunAsync(http));
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/readyz")).StatusCode);
    }

    [Fact]
    public async Task A_file_that_is_gone_is_noticed_without_a_write_and_no_start_makes_an_empty_one_in_its_place()
    {
        await using (var server = await ServerProcess.StartAsync($"--data {Data} --urls http://127.0.0.1:0"))
        {
            using var http = server.Client(server.RootKey);
            Assert.Equal(HttpStatusCode.Accepted, await RunAsync(http));
            System.IO.File.Delete(File());
            await WaitFor.TrueAsync(async () =>
                (await http.GetAsync("/readyz")).StatusCode == HttpStatusCode.ServiceUnavailable
            );
            var running = await PosternCommand.RunAsync($"doctor --data {Data} --urls {server.Url}");
            Assert.Equal(1, running.Code);
            Assert.Contains("its database", running.Out, StringComparison.Ordinal);
            Assert.Equal(0, await server.TerminateAsync());
        }
        Assert.True(System.IO.File.Exists(File("-wal")));
        var (code, _, error) = await PosternCommand.RunAsync($"serve --data {Data} --urls http://127.0.0.1:0");
        Assert.Equal((2, true), (code, error.Contains("is gone, but its log", StringComparison.Ordinal)));
        var stopped = await PosternCommand.RunAsync($"doctor --data {Data}");
        Assert.Equal(1, stopped.Code);
        Assert.Contains("is gone, but its log", stopped.Out, StringComparison.Ordinal);
        Assert.False(System.IO.File.Exists(File()));
    }

    private static async Task<HttpStatusCode> RunAsync(HttpClient http) =>
        (await http.PostAsJsonAsync("/api/v1/runs", new { agent = "echo" })).StatusCode;
}
