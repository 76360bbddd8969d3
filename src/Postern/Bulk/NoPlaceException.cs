namespace Postern.Bulk;

/// <summary>The item finds no place now: it is tried again, until it has waited for long enough.</summary>
internal sealed class NoPlaceException() : Exception("The item finds no place now.");
