namespace Postern.Sessions;

/// <summary>
/// The beginning of a turn's message: what was folded outside of a transaction. The message is its pieces, its head,
/// and the end that is folded inside.
/// </summary>
/// <param name="From">The first record of the turn.</param>
/// <param name="Next">The record that comes next.</param>
internal sealed record FoldedTurn(long From, long Next)
{
    /// <summary>Bytes of records that were folded.</summary>
    public long Taken { get; init; }

    /// <summary>The turn is longer than its bound: no more is taken.</summary>
    public bool IsCut { get; init; }

    /// <summary>Something was said.</summary>
    public bool HasBlocks { get; init; }

    /// <summary>The text that the JSON ends in, by its kind and id; null when it ends behind a block.</summary>
    public string? OpenText { get; init; }

    /// <summary>Names of calls that were made, and of those that have their result.</summary>
    public IReadOnlySet<string> Names { get; init; } = new HashSet<string>();

    /// <summary>Blocks that stand nowhere yet, because another of the same name may take their place.</summary>
    public IReadOnlyList<KeyValuePair<string, byte[]>> Held { get; init; } = [];

    /// <summary>The escape of half a character that this text ends with, held back: its other half may come.</summary>
    public ReadOnlyMemory<byte> Half { get; init; }

    /// <summary>What the agent calls the message, and its clients after it; null when it gave it no name.</summary>
    public string? ClientId { get; init; }

    /// <summary>The id of the message whose pieces these are; null while there is none.</summary>
    public string? MessageId { get; init; }

    /// <summary>Pieces of the JSON that are in the database.</summary>
    public long Pieces { get; init; }

    /// <summary>The JSON that follows them.</summary>
    public ReadOnlyMemory<byte> Head { get; init; }
}
