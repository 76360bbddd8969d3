namespace Postern.Triggers;

/// <summary>
/// All places of a trigger were taken in the moment of the commit: the transaction is given up whole.
/// </summary>
internal sealed class TriggerFullException : Exception;
