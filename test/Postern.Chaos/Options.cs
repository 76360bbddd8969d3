using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Chaos;

/// <summary>The options of the command line.</summary>
/// <param name="Pause">The longest pause of an actor between two acts, in milliseconds.</param>
/// <param name="Faults">Only these faults, once each in this order. When empty, the seed decides.</param>
internal sealed record Options(int Seed, double Minutes, string[] Databases, IReadOnlyList<Fault> Faults, int Pause)
{
    public static Options Of(string[] arguments)
    {
        var given = arguments
            .Select(a => a.Split('=', 2))
            .Where(p => p.Length == 2 && p[1].Length > 0)
            .ToDictionary(p => p[0], p => p[1], StringComparer.OrdinalIgnoreCase);
        var database = given.GetValueOrDefault("DATABASE", "both");
        if (database is not ("both" or "sqlite" or "postgres" or "patroni"))
            throw new FormatException("DATABASE is sqlite, postgres, both or patroni");
        return new(
            int.Parse(given.GetValueOrDefault("SEED", "1"), CultureInfo.InvariantCulture),
            double.Parse(given.GetValueOrDefault("MINUTES", "2"), CultureInfo.InvariantCulture),
            database == "both" ? ["sqlite", "postgres"] : [database],
            [
                .. given
                    .GetValueOrDefault("FAULTS", "")
                    .Split(',', StringSplitOptions.RemoveEmptyEntries)
                    .Select(FaultOf),
            ],
            int.Parse(given.GetValueOrDefault("PAUSE", "60"), CultureInfo.InvariantCulture)
        );
    }

    private static Fault FaultOf(string name) =>
        Enum.TryParse<Fault>(name, out var fault)
            ? fault
            : throw new FormatException("FAULTS are some of " + string.Join(", ", Enum.GetNames<Fault>()));
}
