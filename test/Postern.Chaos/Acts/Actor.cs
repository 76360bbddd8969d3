namespace Postern.Chaos.Acts;

/// <summary>
/// A user of the server, who acts again and again until the simulation ends. A fault of an actor itself is a fault of
/// the simulation and ends it.
/// </summary>
internal abstract class Actor(World world, string name)
{
    protected World World => world;
    protected Caller Caller => world.Caller;
    protected Ledger Ledger => world.Ledger;
    protected Random Random { get; } = world.Plan.RandomOf(name);
    protected string Name => name;
    protected int Round { get; private set; }

    public async Task RunAsync()
    {
        try
        {
            for (; ; Round++)
            {
                Caller.Stop.ThrowIfCancellationRequested();
                await ActAsync();
                await PauseAsync(world.Plan.Pause);
            }
        }
        catch (OperationCanceledException) when (Caller.Stop.IsCancellationRequested)
        {
            // The simulation is over.
        }
    }

    protected abstract Task ActAsync();

    protected bool Chance(int oneIn) => Random.Next(oneIn) == 0;

    protected Task PauseAsync(int mostMilliseconds) => Task.Delay(Random.Next(mostMilliseconds), Caller.Stop);

    protected Task<Answer> PostAsync(
        string path,
        object? body,
        string? key = null,
        params (string, string)[] headers
    ) => Caller.InsistAsync(Random, HttpMethod.Post, path, body, key ?? World.Root, headers);

    protected Task<Answer> GetAsync(string path, string? key = null) =>
        Caller.InsistAsync(Random, HttpMethod.Get, path, null, key ?? World.Root);

    /// <summary>Returns whether it was done. An unexpected answer is reported.</summary>
    protected bool Expect(string door, Answer answer, params int[] alsoFine)
    {
        if (answer.Ok)
            return true;
        if (!alsoFine.Contains(answer.Status))
            Caller.Surprise($"{Name} {door}", answer);
        return false;
    }
}
