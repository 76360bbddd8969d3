using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Chaos;

/// <summary>
/// The one source of randomness. Each actor has its own generator, seeded with its name, so that it does the same for a
/// seed whatever the others do. A seed cannot repeat time: which request meets which fault.
/// </summary>
internal sealed class Plan(Options options, string database)
{
    private static readonly Fault[] Everywhere =
    [
        Fault.Kill,
        Fault.Freeze,
        Fault.Cut,
        Fault.BlackHole,
        Fault.Descriptors,
        Fault.ClockStep,
    ];

    private static readonly Fault[] OnSqlite = [Fault.FullDisk, Fault.LockedFile];

    private static readonly Fault[] OnPostgres =
    [
        Fault.DatabaseCut,
        Fault.DatabaseBlackHole,
        Fault.DatabaseCrash,
        Fault.HeldRows,
        Fault.SlowStatements,
        Fault.Terminated,
    ];

    private static readonly Fault[] UnderPatroni =
    [
        Fault.DatabaseCut,
        Fault.DatabaseBlackHole,
        Fault.HeldRows,
        Fault.Terminated,
        Fault.PrimaryKilled,
        Fault.PrimaryFrozen,
        Fault.PatroniFrozen,
        Fault.SwitchOver,
    ];

    private static readonly TimeSpan Two = TimeSpan.FromSeconds(2);

    public int Seed => options.Seed;

    /// <summary>The longest pause of an actor between two acts, in milliseconds.</summary>
    public int Pause => options.Pause;

    public string Database => database;

    public Random RandomOf(string name) =>
        new(BitConverter.ToInt32(SHA256.HashData(Encoding.UTF8.GetBytes($"{Seed}/{database}/{name}"))));

    /// <summary>
    /// In each round every kind of fault comes once, in an order that the seed gives. Faults that were asked for come
    /// once each, one after the other, without a time limit.
    /// </summary>
    public List<PlannedFault> Faults(TimeSpan whole, int nodes)
    {
        var random = RandomOf("faults");
        if (options.Faults.Count > 0)
            return
            [
                .. options.Faults.Select(
                    (fault, i) =>
                        new PlannedFault(TimeSpan.FromSeconds(2 + (3 * i)), fault, i % nodes, Two, random.Next())
                        {
                            IsAskedFor = true,
                        }
                ),
            ];
        var kinds = Everywhere
            .Concat(
                database switch
                {
                    "sqlite" => OnSqlite,
                    "patroni" => UnderPatroni,
                    _ => OnPostgres,
                }
            )
            .ToArray();
        var faults = new List<PlannedFault>();
        var at = TimeSpan.FromSeconds(2);
        var deck = new Queue<Fault>();
        while (true)
        {
            if (deck.Count == 0)
            {
                random.Shuffle(kinds);
                foreach (var kind in kinds)
                    deck.Enqueue(kind);
            }
            var lasts = TimeSpan.FromSeconds(1 + (random.NextDouble() * 4));
            if (at + lasts > whole - TimeSpan.FromSeconds(2))
                return faults;
            faults.Add(new(at, deck.Dequeue(), random.Next(nodes), lasts, random.Next()));
            at += lasts + TimeSpan.FromSeconds(1.5 + (random.NextDouble() * 4));
        }
    }
}
