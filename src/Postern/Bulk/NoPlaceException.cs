namespace Postern.Bulk;

/// <summary>Thrown when there is no place for the item now. It is tried again for a limited time.</summary>
internal sealed class NoPlaceException() : Exception("The item finds no place now.");
