namespace Postern.Bulk;

/// <summary>Thrown when another node has the job or it was stopped; the item's transaction is rolled back.</summary>
internal sealed class LeaseLostException() : Exception("The lease of the job was lost, or the job was stopped.");
