using System.Runtime.CompilerServices;

namespace Postern.Support;

/// <summary>Where the project's files are.</summary>
internal static class Repository
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, "..", ".."));

    public static string File(string name) => Path.Combine(Root, name);

    private static string Here([CallerFilePath] string path = "") => path;
}
