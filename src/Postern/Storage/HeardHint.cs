namespace Postern.Storage;

/// <summary>One row read about another node: the node's state with one of its hints, or with none.</summary>
/// <param name="Node">The node.</param>
/// <param name="Told">The number of the last hint that it has told, as of its last heartbeat.</param>
/// <param name="SilentFor">Microseconds since that heartbeat.</param>
/// <param name="Number">The hint's number; null: it has told nothing since.</param>
/// <param name="Topics">The hint's topics, one a line; null without a hint.</param>
internal sealed record HeardHint(string Node, long Told, long SilentFor, long? Number, string? Topics);
