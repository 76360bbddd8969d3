using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Chaos;

/// <summary>What is asked for on the command line.</summary>
internal sealed record Options(int Seed, double Minutes, string[] Databases)
{
    public static Options Of(string[] arguments)
    {
        var given = arguments.Select(a => a.Split('=', 2)).Where(p => p.Length == 2 && p[1].Length > 0)
            .ToDictionary(p => p[0], p => p[1], StringComparer.OrdinalIgnoreCase);
        var database = given.GetValueOrDefault("DATABASE", "both");
        if (database is not ("both" or "sqlite" or "postgres"))
            throw new FormatException("DATABASE is sqlite, postgres or both");
        return new(
            int.Parse(given.GetValueOrDefault("SEED", "1"), CultureInfo.InvariantCulture),
            double.Parse(given.GetValueOrDefault("MINUTES", "2"), CultureInfo.InvariantCulture),
            database == "both" ? ["sqlite", "postgres"] : [database]);
    }
}

/// <summary>What can go wrong around the server.</summary>
internal enum Fault
{
    Kill, Freeze, Cut, BlackHole, Descriptors, ClockStep, FullDisk, LockedFile, DatabaseCut, DatabaseBlackHole,
    DatabaseCrash, HeldRows, SlowStatements, Terminated,
}

/// <summary>One fault: when it begins, what, at which node, for how long, and a number of its own.</summary>
internal sealed record PlannedFault(TimeSpan At, Fault Fault, int Node, TimeSpan For, int Number);

/// <summary>
/// The one source of chance. Each actor takes a generator of its own, by its name, so that what one does is the same
/// for a seed whatever the others do. What a seed cannot repeat is time: which request meets which fault.
/// </summary>
internal sealed class Plan(int seed, string database)
{
    private static readonly Fault[] Everywhere =
        [Fault.Kill, Fault.Freeze, Fault.Cut, Fault.BlackHole, Fault.Descriptors, Fault.ClockStep];

    private static readonly Fault[] OnSqlite = [Fault.FullDisk, Fault.LockedFile];

    private static readonly Fault[] OnPostgres =
        [Fault.DatabaseCut, Fault.DatabaseBlackHole, Fault.DatabaseCrash, Fault.HeldRows, Fault.SlowStatements,
            Fault.Terminated];

    public int Seed => seed;

    public string Database => database;

    public Random RandomOf(string name) =>
        new(BitConverter.ToInt32(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed}/{database}/{name}"))));

    /// <summary>Every kind of fault comes once in each round, in an order that the seed gives.</summary>
    public List<PlannedFault> Faults(TimeSpan whole, int nodes)
    {
        var random = RandomOf("faults");
        var kinds = Everywhere.Concat(database == "sqlite" ? OnSqlite : OnPostgres).ToArray();
        var faults = new List<PlannedFault>();
        var at = TimeSpan.FromSeconds(2);
        var deck = new Queue<Fault>();
        while (true)
        {
            if (deck.Count == 0)
            {
                random.Shuffle(kinds);
                foreach (var kind in kinds) deck.Enqueue(kind);
            }
            var lasts = TimeSpan.FromSeconds(1 + (random.NextDouble() * 4));
            if (at + lasts > whole - TimeSpan.FromSeconds(2)) return faults;
            faults.Add(new(at, deck.Dequeue(), random.Next(nodes), lasts, random.Next()));
            at += lasts + TimeSpan.FromSeconds(1.5 + (random.NextDouble() * 4));
        }
    }
}
