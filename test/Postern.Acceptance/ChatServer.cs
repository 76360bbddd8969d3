using Postern.Support;

namespace Postern.Acceptance;

/// <summary>One server of the real program for all scenarios of the real clients.</summary>
public sealed class ChatServer : IAsyncLifetime
{
    private string _folder = "";

    /// <summary>A key from the command line, with rights that only the command line gives.</summary>
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
        Server = await ServerProcess.StartAsync(
            $"--data {_folder} --urls http://127.0.0.1:0",
            new Dictionary<string, string>
            {
                ["POSTERN_RateLimits__ProjectBurst"] = "0",
                ["POSTERN_RateLimits__TokenBurst"] = "0",
            }
        );
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
