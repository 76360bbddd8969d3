using System.Diagnostics;

namespace Postern.Support;

/// <summary>The program, run to its end.</summary>
internal static class PosternCommand
{
    public static string Path { get; } = System.IO.Path.Combine(AppContext.BaseDirectory, "postern.dll");

    /// <summary>A variable for the start itself: how many files and sockets the program may have open.</summary>
    public const string Descriptors = "DESCRIPTORS";

    /// <summary>
    /// A variable for the start itself: a file larger than its limit causes a write error, as a full disk does, and no
    /// signal that ends the program.
    /// </summary>
    public const string FileSizeIsAnError = "FILE_SIZE_IS_AN_ERROR";

    /// <summary>A variable for the start itself: the path of another build of the program.</summary>
    public const string Program = "PROGRAM";

    public static async Task<(int Code, string Out, string Error)> RunAsync(
        string arguments,
        IReadOnlyDictionary<string, string>? environment = null
    )
    {
        using var process = Start(arguments, environment);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        return (process.ExitCode, await output, await error);
    }

    public static Process Start(string arguments, IReadOnlyDictionary<string, string>? environment)
    {
        // With a limit of descriptors, as a service has one.
        var before = environment?.GetValueOrDefault(Descriptors) is { } most ? $"ulimit -n {most}; " : "";
        if (environment?.ContainsKey(FileSizeIsAnError) == true)
            before += "trap '' XFSZ; ";
        var (program, first) = environment?.GetValueOrDefault(Program) is { } other
            ? (other, "")
            : ("dotnet", $"\"{Path}\" ");
        var start =
            before.Length > 0
                ? new ProcessStartInfo("bash", ["-c", $"{before}exec \"{program}\" {first}{arguments}"])
                : new ProcessStartInfo(program, first + arguments);
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        foreach (
            var name in start
                .Environment.Keys.Where(k => k.StartsWith("POSTERN_", StringComparison.Ordinal) || k == "DATABASE_URL")
                .ToList()
        )
            start.Environment.Remove(name);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        return Process.Start(start)!;
    }
}
