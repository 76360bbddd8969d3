using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// How many of a thing a project may have. The project's row orders those who would be one too many at once, so the
/// count is the count that the insert is made under.
/// </summary>
internal static class ProjectQuota
{
    /// <summary>
    /// Puts those who change one project's settings in one order, until the transaction ends. It comes before every
    /// other row.
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
