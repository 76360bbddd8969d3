namespace Postern.Triggers;

/// <summary>
/// Thrown when all places of a trigger are taken at the moment of the commit; the transaction is rolled back.
/// </summary>
internal sealed class TriggerFullException : Exception;
