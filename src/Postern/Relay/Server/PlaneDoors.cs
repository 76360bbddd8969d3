using System.Collections.Frozen;
using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>The doors of a plane, found by the path as it was sent: nothing is decoded.</summary>
internal sealed class PlaneDoors
{
    private readonly FrozenDictionary<string, DoorEntry> _exact;
    private readonly DoorEntry[] _patterns;

    public PlaneDoors(long version, IReadOnlyList<DoorEntry> doors)
    {
        Version = version;
        var exact = new Dictionary<string, DoorEntry>(StringComparer.Ordinal);
        foreach (var door in doors.Where(d => !d.Path.Contains('*', StringComparison.Ordinal)))
            exact[door.Path] = door;
        _exact = exact.ToFrozenDictionary(StringComparer.Ordinal);
        _patterns = [.. doors.Where(d => d.Path.Contains('*', StringComparison.Ordinal)).Take(MostPatterns)];
    }

    /// <summary>Doors whose path contains a star are tried one after the other.</summary>
    public const int MostPatterns = 64;

    public static PlaneDoors None { get; } = new(0, []);

    public long Version { get; }

    /// <summary>Returns null when the plane has not listed the target.</summary>
    public DoorEntry? Find(string target)
    {
        var query = target.IndexOf('?', StringComparison.Ordinal);
        var path = query < 0 ? target : target[..query];
        return _exact.TryGetValue(path, out var door) ? door : Array.Find(_patterns, p => Fits(p.Path, path));
    }

    private static bool Fits(string pattern, string path)
    {
        var (wanted, given) = (pattern.Split('/'), path.Split('/'));
        if (wanted.Length != given.Length)
            return false;
        for (var i = 0; i < wanted.Length; i++)
            if (wanted[i] == "*" ? given[i].Length == 0 : wanted[i] != given[i])
                return false;
        return true;
    }
}
