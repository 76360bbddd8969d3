namespace Postern.Access;

/// <summary>A row of refusals, with the number of equal ones within its minute.</summary>
/// <param name="row">The first of them.</param>
/// <param name="id">The row's id.</param>
/// <param name="at">When the first of them came, microseconds.</param>
internal sealed class CountedRefusal(AuditRow row, string id, long at)
{
    public AuditRow Row => row;

    public string Id => id;

    public long At => at;

    /// <summary>Their number; only <see cref="RefusalCounts"/> changes it, under its lock.</summary>
    public long Times { get; set; } = 1;

    /// <summary>How many of them are stored in the database.</summary>
    public long Written { get; set; }
}
