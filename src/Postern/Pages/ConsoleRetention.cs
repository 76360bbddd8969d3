using Postern.Storage;

namespace Postern.Pages;

/// <summary>Removes the console's marks of sent forms after one day.</summary>
internal sealed class ConsoleRetention(Database database, TimeProvider clock, ILogger<ConsoleRetention> log)
    : PollingLoop(clock, log)
{
    private const long Day = 86_400_000_000;

    protected override Task SweepAsync(CancellationToken stop) =>
        OldRows.RemoveAsync(database, "console_once", "project, session, once", "at", database.Now - Day, stop);
}
