using Postern.Settings;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// Removes, in small batches, audit rows that are too old, used one-time tokens, revocations of expired tokens, and
/// rows that the console's sign-ins left behind.
/// </summary>
internal sealed class AccessRetention(
    Database database,
    PosternOptions options,
    TimeProvider clock,
    ILogger<AccessRetention> log
) : PollingLoop(clock, log)
{
    protected override async Task SweepAsync(CancellationToken stop)
    {
        var auditBefore = database.Now - (options.Retention.AuditDays * 86_400_000_000L);
        // A failure with one kind does not stop the others.
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
