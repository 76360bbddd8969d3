using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// A limit on the things of one kind in a project. The count and the insert happen under the lock of the project's row,
/// so that two requests together cannot exceed the limit.
/// </summary>
internal static class ProjectQuota
{
    /// <summary>
    /// Locks the project's row until the transaction ends, before every other row. Changes of one project's settings
    /// then run one after another.
    /// </summary>
    public static async ValueTask LockAsync(Tx tx, string project) =>
        await tx.FirstAsync($"SELECT id FROM project WHERE id = $1{tx.ForUpdate}", r => r.GetString(0), project);

    /// <summary>Returns why there may not be one more, or null. The caller holds the project's row.</summary>
    /// <param name="counted">A table and a condition over <c>$1</c>, the project.</param>
    /// <param name="name">The quota's name, as it is set.</param>
    /// <param name="most">0 is no bound.</param>
    public static async ValueTask<Refusal?> WhyNotOneMoreAsync(
        Tx tx,
        string project,
        string counted,
        string name,
        int most
    ) =>
        most > 0 && await tx.FirstAsync($"SELECT COUNT(*) FROM {counted}", r => r.GetInt64(0), project) >= most
            ? Reached(409, name, most)
            : null;

    public static Refusal Reached(int status, string name, int most) =>
        new(
            status,
            $"The quota {name} of {most} is reached: remove what is not needed, or raise Postern:Quotas:{name}.",
            "quota_reached"
        )
        {
            Extra = [("quota", name)],
            ShouldRetry = false,
            RetryAfterSeconds = status == 429 ? 1 : null,
        };
}
