namespace Postern.Support;

/// <summary>A credential that is good, and what ends it.</summary>
/// <param name="Headers">How it is presented.</param>
internal sealed record Held((string Name, string Value)[] Headers, Func<Task> EndAsync);
