using System.Text.RegularExpressions;

namespace Postern.Support;

/// <summary>
/// A background loop logs its fault and goes on, so a test that looks elsewhere would not notice. So each server of the
/// tests is asked at its end.
/// </summary>
internal static partial class LoopFaults
{
    public static bool IsOne(string log) => Words().IsMatch(log);

    /// <exception cref="InvalidOperationException">A loop failed.</exception>
    public static void None(string log)
    {
        if (Words().Match(log) is { Success: true } found)
            throw new InvalidOperationException("A loop of the server failed: " + log[found.Index..]);
    }

    /// <summary>
    /// A busy database, or a server that stops, is no fault: what was not settled is tried again.
    /// </summary>
    [GeneratedRegex(
        @"failed in one poll and continues"
            + @"|could not be settled; it is tried again(?>\s+)"
            + @"(?!Postern\.Storage\.StorageBusyException|System\.\S+Cancel)",
        RegexOptions.CultureInvariant,
        matchTimeoutMilliseconds: 10_000
    )]
    private static partial Regex Words();
}
