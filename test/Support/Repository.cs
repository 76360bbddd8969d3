using System.Runtime.CompilerServices;

namespace Postern.Support;

/// <summary>Where the project's files are.</summary>
internal static class Repository
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, "..", ".."));

    public static string File(string name) => Path.Combine(Root, name);

    private static string Here([CallerFilePath] string path = "") => path;

    /// <summary>
    /// The Node.js that the npm clients bring (<c>node-linux-*</c>, pinned): the one of the machine may be older than
    /// the client libraries need.
    /// </summary>
    public static string Node =>
        new[] { "x64", "arm64" }
            .Select(cpu => File($"test/Postern.Acceptance/clients/node_modules/node-linux-{cpu}/bin/node"))
            .FirstOrDefault(System.IO.File.Exists)
        ?? throw new FileNotFoundException(
            "The npm clients are not installed: npm ci in test/Postern.Acceptance/clients"
        );
}
