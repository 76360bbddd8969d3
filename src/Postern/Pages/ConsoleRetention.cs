using Postern.Storage;

namespace Postern.Pages;

/// <summary>Removes what the console remembers of forms that were sent, a day after.</summary>
internal sealed class ConsoleRetention(Database database, TimeProvider clock, ILogger<ConsoleRetention> log)
    : PollingLoop(clock, log)
{
    private const long Day = 86_400_000_000;

    /// <summary>No deadline is its: it only sweeps.</summary>
    protected override Task PollAsync(CancellationToken stop) => Task.CompletedTask;

    protected override Task SweepAsync(CancellationToken stop) =>
        OldRows.RemoveAsync(database, "console_once", "project, session, once", "at", database.Now - Day, stop);
}
