namespace Postern.Storage;

/// <summary>Something that a transaction counts.</summary>
/// <param name="Value">How often, or microseconds of a span.</param>
internal readonly record struct Counted(string Project, Measure Measure, long Value);
