namespace Postern.Access;

/// <summary>A row of refusals, and how often the same happened within its minute.</summary>
/// <param name="row">The first of them.</param>
/// <param name="id">The row's id.</param>
/// <param name="at">When the first of them came, microseconds.</param>
internal sealed class CountedRefusal(AuditRow row, string id, long at)
{
    public AuditRow Row => row;

    public string Id => id;

    public long At => at;

    /// <summary>How many there are; changed by <see cref="RefusalCounts"/> alone, under its lock.</summary>
    public long Times { get; set; } = 1;

    /// <summary>How many of them the database knows of.</summary>
    public long Written { get; set; }
}
