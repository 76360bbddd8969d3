using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Postern.Hosting;

/// <summary>
/// The number of files and sockets that the process may have open. When none is left, the runtime ends the process. So
/// connections from outside stop before that limit; the rest is for the database, the log, and outgoing requests.
/// </summary>
internal static class Descriptors
{
    private const string Limits = "/proc/self/limits";
    private const string Open = "/proc/self/fd";
    private const int LeastForServer = 256;

    /// <summary>More than any system opens; the web server counts a little beyond it.</summary>
    private const int MostPlaces = 1_000_000_000;

    /// <summary>The number of connections that may be open; null where the system has no limit.</summary>
    public static long? Connections { get; } = Read() is { } limit ? ConnectionsWithin(limit, OpenNow()) : null;

    /// <summary>
    /// Returns how many connections fit. Subtracted are the files open at the start (the program's own) and a quarter,
    /// or 256 if that is more; of a very small limit an eighth.
    /// </summary>
    public static long ConnectionsWithin(long limit, long open) =>
        Math.Max(limit - open - Math.Max(LeastForServer, limit / 4), limit / 8);

    /// <summary>Lets the web server have no more connections than that, and no address all of them.</summary>
    public static void Bound(IServiceCollection services, IReadOnlyList<IPNetwork> proxies)
    {
        if (Connections is not { } most)
            return;
        services.RemoveAll<IConnectionListenerFactory>();
        services.AddSingleton<IConnectionListenerFactory>(provider => new BoundedListenerFactory(
            ActivatorUtilities.CreateInstance<SocketTransportFactory>(provider),
            new ConnectionShares((int)Math.Min(most, MostPlaces), proxies),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<BoundedListenerFactory>>()
        ));
    }

    private static long OpenNow() =>
        Directory.Exists(Open) ? Directory.EnumerateFileSystemEntries(Open).LongCount() : 0;

    private static long? Read()
    {
        if (!File.Exists(Limits))
            return null;
        var line = File.ReadLines(Limits).FirstOrDefault(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        // Returns the soft and the hard limit. The runtime raises the soft one to the hard one when it starts.
        var parts = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return
            parts is [_, _, _, _, var hard, ..]
            && long.TryParse(hard, NumberStyles.None, CultureInfo.InvariantCulture, out var limit)
            ? limit
            : null;
    }
}
