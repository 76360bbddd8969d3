using Postern.Settings;

namespace Postern.Pages;

/// <summary>
/// The addresses of the pages and their files as a browser uses them, under the path of the public URL.
/// </summary>
internal sealed class Paths(ServerAddress address)
{
    /// <summary>The path of the cookie.</summary>
    public string Cookie => address.Path + ConsoleFamily.Prefix;

    /// <summary>The path of a page, such as <c>/runs</c>; empty for the overview.</summary>
    public string Of(string page) => address.Path + ConsoleFamily.Prefix + page;

    /// <summary>A path that this server knows, as a browser asks for it.</summary>
    public string Public(string path) => address.Path + path;

    public string Asset(string name) => Of($"/assets/{Assets.Digest}/{name}");

    /// <summary>
    /// Returns the page after a sign-in: a path of the console, else the overview. A path that a browser could read as
    /// another site, or that leads out of the console, is not accepted.
    /// </summary>
    public string Next(string? next)
    {
        var isOurs =
            next is { Length: <= 2000 }
            && !Climbs(next)
            && (next == ConsoleFamily.Prefix || next.StartsWith(ConsoleFamily.Prefix + "/", StringComparison.Ordinal))
            && !next.Contains('\\', StringComparison.Ordinal)
            && !next.Contains("//", StringComparison.Ordinal)
            && !next.Contains("/.", StringComparison.Ordinal)
            && next.All(c => c is > ' ' and <= '~')
            && !next.StartsWith(ConsoleFamily.Prefix + "/sign-", StringComparison.Ordinal)
            && !next.StartsWith(ConsoleFamily.Prefix + "/oidc/", StringComparison.Ordinal);
        return Public(isOurs ? next! : ConsoleFamily.Prefix);
    }

    /// <summary>A browser takes an escaped dot for a dot: to it <c>/console/%2e%2e/x</c> is <c>/x</c>.</summary>
    private static bool Climbs(string next) =>
        next.Split('?')[0].Split('/').Any(segment => Uri.UnescapeDataString(segment) is "." or "..");
}
