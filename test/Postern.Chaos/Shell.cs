using System.Diagnostics;

namespace Postern.Chaos;

/// <summary>Runs a program of the system to its end.</summary>
internal static class Shell
{
    /// <summary>Returns its exit code.</summary>
    public static async Task<int> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await Task.WhenAll(process.WaitForExitAsync(), output, error);
        return process.ExitCode;
    }
}
