namespace Postern.Pages;

/// <summary>When a key or token is to end, microseconds; null: never.</summary>
internal readonly record struct KeyEnd(long? At);
