using Postern.Settings;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// Removes rows of the audit that were kept long enough, spent tokens, revocations of tokens that have expired, and
/// what the console's sign-ins left behind; a batch a transaction.
/// </summary>
internal sealed class AccessRetention(
    Database database,
    PosternOptions options,
    TimeProvider clock,
    ILogger<AccessRetention> log
) : PollingLoop(clock, log)
{
    /// <summary>No deadline is its: it only sweeps.</summary>
    protected override Task PollAsync(CancellationToken stop) => Task.CompletedTask;

    protected override async Task SweepAsync(CancellationToken stop)
    {
        var auditBefore = database.Now - (options.Retention.AuditDays * 86_400_000_000L);
        // What goes wrong with one keeps no other waiting.
        await OneAsync("audit", () => RemoveAsync("audit", "project, id", "at", auditBefore, stop));
        await OneAsync("used_token", () => RemoveAsync("used_token", "project, digest", "until", database.Now, stop));
        var day = database.Now - 86_400_000_000L;
        await OneAsync("console_session", () => RemoveAsync("console_session", "project, id", "until", day, stop));
        await OneAsync(
            "console_link",
            () => RemoveAsync("console_link", "project, digest", "until", database.Now, stop)
        );
        await OneAsync(
            "revocation",
            () => RemoveAsync("revocation", "project, kind, value", "until", database.Now, stop)
        );
    }

    private Task RemoveAsync(string table, string key, string time, long before, CancellationToken stop) =>
        OldRows.RemoveAsync(database, table, key, time, before, stop);
}
