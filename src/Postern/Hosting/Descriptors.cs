using System.Globalization;

namespace Postern.Hosting;

/// <summary>
/// The files and sockets that the process may have open at once. Without one left the runtime ends the process, so
/// connections from outside stop short of it: the rest is for the database, the log, and requests that leave.
/// </summary>
internal static class Descriptors
{
    private const string Limits = "/proc/self/limits";
    private const int LeastForServer = 256;

    /// <summary>Connections that may be open; null where the system names no limit.</summary>
    public static long? Connections { get; } = Read() is { } limit ? ConnectionsWithin(limit) : null;

    /// <summary>All but a quarter, or 256 where that is more; of a very small limit half.</summary>
    public static long ConnectionsWithin(long limit) =>
        Math.Max(limit - Math.Max(LeastForServer, limit / 4), limit / 2);

    private static long? Read()
    {
        if (!File.Exists(Limits)) return null;
        var line = File.ReadLines(Limits).FirstOrDefault(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        // Soft and hard: the runtime raises the one to the other when it starts.
        var words = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words is [_, _, _, _, var hard, ..]
            && long.TryParse(hard, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) ? limit : null;
    }
}
