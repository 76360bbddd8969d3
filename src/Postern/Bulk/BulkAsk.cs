namespace Postern.Bulk;

/// <summary>What is asked for: an action that exists, and a filter that it can read.</summary>
internal sealed record BulkAsk(BulkAction Action, BulkFilter Filter);
