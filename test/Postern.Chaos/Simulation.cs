using System.Globalization;
using System.Text.Json;
using Postern.Chaos.Acts;
using Postern.Chaos.Audit;

namespace Postern.Chaos;

/// <summary>
/// One simulation on one database. The nodes are started, and all actors act while faults come and go. Then the faults
/// end, waiting work comes to its end, and the auditor checks everything.
/// </summary>
internal sealed class Simulation(Options options, string database)
{
    private readonly int _seed = options.Seed;
    private readonly double _minutes = options.Minutes;

    private const int Nodes = 2;

    /// <summary>Longer than any deadline of the simulation.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(75);

    /// <summary>Whether every invariant held.</summary>
    public async Task<bool> RunAsync()
    {
        var folder = Directory.CreateTempSubdirectory("postern-chaos-").FullName;
        var whole = TimeSpan.FromMinutes(_minutes);
        var plan = new Plan(options, database);
        using var ledger = new Ledger(Path.Combine(folder, "ledger.jsonl"));
        await using var outside = new Outside(plan, ledger);
        await outside.StartAsync();
        await using var cluster = await Cluster.StartAsync(database, folder, Nodes);
        Say($"{database}: seed {_seed}, {cluster.Nodes.Count} node(s), {whole.TotalSeconds:0} s; evidence in {folder}");
        using var over = new CancellationTokenSource();
        using var caller = new Caller(cluster, ledger, over.Token);
        var world = new World(cluster, plan, ledger, caller, outside);
        outside.Works = (dispatch, random) => CalledAgent.WorkAsync(world, dispatch, random);
        await world.SetUpAsync();
        var auditor = new Auditor(cluster, ledger.File, world.Root);
        var began = ledger.Now;
        var faults = plan.Faults(whole, cluster.Nodes.Count)
            .Select(f => f with { At = f.At + TimeSpan.FromMilliseconds(began) })
            .ToList();
        var injector = new Injector(cluster, ledger, faults, world.Root, over.Token);
        var injecting = injector.RunAsync();
        List<Task> acting = [.. Actors(world).Select(a => Task.Run(a.RunAsync))];
        for (var at = 10; at <= whole.TotalSeconds || !injecting.IsCompleted; at += 10)
        {
            var wait = began + (at * 1000) - ledger.Now;
            // A failed actor ends the simulation at once: it would no longer be what its report says.
            await Task.WhenAny([.. acting, Task.Delay((int)Math.Max(0, wait))]);
            if (injecting.IsFaulted || acting.Exists(a => a.IsFaulted))
                break;
            ledger.Flush();
            auditor.LookNow(ledger.Now, faultUnderWay: true);
            Say(
                $"  {at, 4} s  {ledger.Acknowledged, 7:#,0} acknowledged  {injector.Done.Values.Sum(), 3} faults  "
                    + $"{auditor.Resident / 1024} MiB  {auditor.Descriptors} descriptors  "
                    + string.Join("; ", auditor.BrokenNow)
            );
        }
        var left = began + (long)whole.TotalMilliseconds - ledger.Now;
        if (left > 0)
            await Task.Delay((int)left);
        await injecting;
        await over.CancelAsync();
        await Task.WhenAll(acting);
        foreach (var node in cluster.Nodes)
            await node.StartAsync(TimeSpan.FromSeconds(60));
        ledger.Flush();
        Say($"  all is healed; what waits has {Patience.TotalSeconds:0} s to come to its end");
        await auditor.LookAtTheEndAsync(ledger.Now, Patience);
        ledger.Flush();
        return Report(auditor, injector, cluster, folder, ledger.Acknowledged);
    }

    private static IEnumerable<Actor> Actors(World world)
    {
        for (var i = 0; i < 4; i++)
            yield return new SessionClient(world, "client" + i);
        for (var i = 0; i < 4; i++)
            yield return new Follower(world, "follower" + i);
        for (var i = 0; i < 3; i++)
            yield return new Starter(world, "starter" + i);
        for (var i = 0; i < 4; i++)
            yield return new Worker(world, "worker" + i);
        for (var i = 0; i < 2; i++)
            yield return new Person(world, "person" + i);
        for (var i = 0; i < 3; i++)
            yield return new Sender(world, "sender" + i);
        for (var i = 0; i < 2; i++)
            yield return new KeyHolder(world, "holder" + i);
        for (var i = 0; i < 2; i++)
            yield return new Rude(world, "rude" + i);
        yield return new Operator(world, "operator");
    }

    private bool Report(Auditor auditor, Injector injector, Cluster cluster, string folder, int acknowledged)
    {
        var broken = auditor.All.Where(i => i.Broken > 0).ToList();
        foreach (var invariant in auditor.All)
            Say("  " + invariant);
        Say(
            "  faults: "
                + string.Join(", ", injector.Done.OrderBy(f => f.Key).Select(f => $"{f.Value} {f.Key}"))
                + string.Concat(injector.LeftOut.Select(l => "; left out: " + l))
        );
        if (auditor.Recoveries is { Length: > 0 } recoveries)
            Say("  " + recoveries);
        var (lost, twice) = (auditor.All[0].Broken, auditor.All[1].Broken);
        Say(
            $"chaos: SEED={_seed} MINUTES={_minutes.ToString(CultureInfo.InvariantCulture)} DATABASE={database}: "
                + $"{acknowledged:#,0} acknowledged, {lost} lost, {twice} twice, {broken.Count} invariants broken"
        );
        if (broken.Count == 0)
        {
            Directory.Delete(folder, recursive: true);
            return true;
        }
        File.WriteAllText(
            Path.Combine(folder, "violations.json"),
            JsonSerializer.Serialize(
                broken.Select(i => new
                {
                    i.Name,
                    i.Checked,
                    i.Broken,
                    i.Evidence,
                }),
                new JsonSerializerOptions { WriteIndented = true }
            )
        );
        foreach (var log in cluster.PostgresLogs.Where(File.Exists))
            File.Copy(log, Path.Combine(folder, Path.GetFileName(log)));
        foreach (var invariant in broken)
        foreach (var how in invariant.Evidence.Take(3))
            Say($"    {invariant.Name}: {(how.Length <= 400 ? how : how[..400])}");
        Say($"  evidence: {folder} (violations.json, ledger.jsonl, node*.log, the data folders)");
        Say(
            $"  again: make chaos SEED={_seed} MINUTES={_minutes.ToString(CultureInfo.InvariantCulture)} "
                + $"DATABASE={database}{Asked}"
        );
        return false;
    }

    private string Asked => options.Faults.Count == 0 ? "" : $" FAULTS={string.Join(',', options.Faults)}";

    private static void Say(string line) => Console.WriteLine(line);
}
