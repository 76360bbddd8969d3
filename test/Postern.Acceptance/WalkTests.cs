using System.Diagnostics;
using System.Text.RegularExpressions;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>The README's five minutes, pasted into a shell one after the other, as a reader does.</summary>
public sealed partial class WalkTests
{
    /// <summary>As the README starts it, but with the built program and a folder of its own.</summary>
    private const string Command = "dotnet run --project src/Postern -c Release --";

    [Fact]
    public async Task The_walk_works_as_pasted()
    {
        var folder = Directory.CreateTempSubdirectory("postern-walk-").FullName;
        await using var server = await ServerProcess.StartAsync($"--data {folder} --urls http://127.0.0.1:0 --dev");
        var readme = await File.ReadAllTextAsync(Repository.File("README.md"));
        var blocks = Block()
            .Matches(readme)
            .Select(m => m.Groups[1].Value)
            .Where(b => !b.Contains("make run"))
            .ToList();
        var pasted = new List<string> { "set -u", $"export U={server.Url} KEY={server.RootKey}" };
        foreach (var block in blocks)
        {
            // The person's part: she opens the link and presses a button.
            if (block.Contains("approval-status?wait"))
                pasted.Add(
                    """
                    LINK=$(curl -s $U/api/v1/approvals/$ASKED -H "Authorization: Bearer $ADA" |
                        sed 's/.*"request_url":"\([^"]*\)".*/\1/')
                    curl -s -o /dev/null -w 'page %{http_code}\n' "$LINK"
                    curl -s -o /dev/null -w 'pressed %{http_code}\n' "$LINK" -d decision=approved
                    """
                );
            pasted.Add(block);
            pasted.Add("echo");
        }
        var program = Path.Combine(AppContext.BaseDirectory, "postern.dll");
        var script = Path.Combine(folder, "walk.sh");
        await File.WriteAllTextAsync(
            script,
            string.Join('\n', pasted)
                .Replace(Command, $"dotnet {program}", StringComparison.Ordinal)
                .Replace("$PWD/data", folder, StringComparison.Ordinal)
        );
        var start = new ProcessStartInfo("bash", script)
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var shell = Process.Start(start)!;
        var (said, complained) = (shell.StandardOutput.ReadToEndAsync(), shell.StandardError.ReadToEndAsync());
        await shell.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
        var output = await said;

        Assert.Equal("", await complained);
        foreach (
            var shown in (string[])
                [
                    "Webhook captured successfully",
                    "\"key\":\"agent:echo:chat-1\"",
                    """{"ok":true,"seq":0}""",
                    "data: [DONE]",
                    "\"detail\":\"Unauthorized\"",
                    "\"output\":{\"order\":17}",
                    "204",
                    "\"replayed\":true",
                    "FSM_TRANSITION_INVALID",
                    "shop to production: failed",
                    "\"approval_request_url\":null",
                    "\"title\":\"Drop the table orders\"",
                    "page 200",
                    "pressed 303",
                    "\"status\":\"approved\"",
                    "\"decided_by\":\"link\"",
                ]
        )
            Assert.Contains(shown, output, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();
}
