namespace Postern.Pages;

/// <summary>The end of a key or token in microseconds; null: never.</summary>
internal readonly record struct KeyEnd(long? At);
