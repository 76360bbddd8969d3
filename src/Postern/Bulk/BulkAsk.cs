namespace Postern.Bulk;

/// <summary>A request for a job: an action that exists, and a filter that it can read.</summary>
internal sealed record BulkAsk(BulkAction Action, BulkFilter Filter);
