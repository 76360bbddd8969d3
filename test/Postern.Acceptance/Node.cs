using System.Diagnostics;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>Runs Node.js in the clients' folder.</summary>
internal static class Node
{
    private static readonly string Clients = Repository.File("test/Postern.Acceptance/clients");

    public static Process Start(string arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(Repository.Node, arguments)
        {
            WorkingDirectory = Clients,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    public static async Task<(int Code, string Out, string Error)> RunAsync(
        string arguments,
        Dictionary<string, string> environment
    )
    {
        using var process = Start(arguments, environment);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(120));
        return (process.ExitCode, await output, await error);
    }

    public static async Task LineAsync(StreamReader from, string line)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await from.ReadLineAsync(patience.Token) is { } read)
            if (read == line)
                return;
        Assert.Fail("The client ended before it said: " + line);
    }
}
