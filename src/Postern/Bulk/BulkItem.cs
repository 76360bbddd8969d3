namespace Postern.Bulk;

/// <summary>One thing of a job.</summary>
/// <param name="Job">Who asked for what.</param>
/// <param name="Id">The thing's id.</param>
/// <param name="Scope">The filter that must still find it.</param>
internal sealed record BulkItem(BulkJob Job, string Id, BulkScope Scope);
