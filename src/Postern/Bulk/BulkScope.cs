namespace Postern.Bulk;

/// <summary>The things that a job searches.</summary>
/// <param name="Filter">The conditions.</param>
/// <param name="AsOf">The time of the preview, microseconds: nothing that was made later is found.</param>
/// <param name="WithInternal">Also what only administrators see.</param>
internal sealed record BulkScope(BulkFilter Filter, long AsOf, bool WithInternal)
{
    /// <summary>
    /// The period in which a found thing may have been made: its first instant, or null, and its last.
    /// </summary>
    public (long? From, long To) Made
    {
        get
        {
            var (from, to) = Filter.Created;
            var until = Filter.OlderThan is { } age ? AsOf - age : AsOf;
            return (from, Math.Min(to ?? long.MaxValue, until));
        }
    }
}
