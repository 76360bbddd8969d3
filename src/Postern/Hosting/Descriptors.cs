using System.Globalization;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Postern.Hosting;

/// <summary>
/// The files and sockets that the process may have open at once. Without one left the runtime ends the process, so
/// connections from outside stop short of it: the rest is for the database, the log, and requests that leave.
/// </summary>
internal static class Descriptors
{
    private const string Limits = "/proc/self/limits";
    private const string Open = "/proc/self/fd";
    private const int LeastForServer = 256;

    /// <summary>Connections above the limit that are being closed at once.</summary>
    private const int Refused = 64;

    /// <summary>Connections that may be open; null where the system names no limit.</summary>
    public static long? Connections { get; } = Read() is { } limit ? ConnectionsWithin(limit, OpenNow()) : null;

    /// <summary>
    /// Returns how many connections fit: all but what is open at the start (the program's own files), and a quarter, or
    /// 256 where that is more; of a very small limit an eighth.
    /// </summary>
    public static long ConnectionsWithin(long limit, long open) =>
        Math.Max(limit - open - Math.Max(LeastForServer, limit / 4), limit / 8);

    /// <summary>
    /// Lets the web server accept some more than that, which it answers by closing them, and no others.
    /// </summary>
    public static void Bound(IServiceCollection services)
    {
        if (Connections is not { } most)
            return;
        services.RemoveAll<IConnectionListenerFactory>();
        services.AddSingleton<IConnectionListenerFactory>(provider => new BoundedListenerFactory(
            ActivatorUtilities.CreateInstance<SocketTransportFactory>(provider),
            (int)Math.Min(most + Refused, int.MaxValue)
        ));
    }

    private static long OpenNow() =>
        Directory.Exists(Open) ? Directory.EnumerateFileSystemEntries(Open).LongCount() : 0;

    private static long? Read()
    {
        if (!File.Exists(Limits))
            return null;
        var line = File.ReadLines(Limits).FirstOrDefault(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        // Soft and hard: the runtime raises the one to the other when it starts.
        var words = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return
            words is [_, _, _, _, var hard, ..]
            && long.TryParse(hard, NumberStyles.None, CultureInfo.InvariantCulture, out var limit)
            ? limit
            : null;
    }
}
