namespace Postern.Sessions;

/// <summary>
/// The beginning of a turn's message, folded outside of a transaction. The whole message is its pieces, its head, and
/// the end that is folded inside.
/// </summary>
/// <param name="From">The first record of the turn.</param>
/// <param name="Next">The record that comes next.</param>
internal sealed record FoldedTurn(long From, long Next)
{
    /// <summary>How many bytes of records were folded.</summary>
    public long Taken { get; init; }

    /// <summary>Whether the turn has reached its limit; no more is added.</summary>
    public bool IsCut { get; init; }

    /// <summary>Whether the agent has said anything.</summary>
    public bool HasBlocks { get; init; }

    /// <summary>The kind and id of the text with which the JSON ends; null when it ends after a block.</summary>
    public string? OpenText { get; init; }

    /// <summary>The names of calls that were made, and of those that have a result.</summary>
    public IReadOnlySet<string> Names { get; init; } = new HashSet<string>();

    /// <summary>Blocks that are not written yet, because another block of the same name may replace them.</summary>
    public IReadOnlyList<KeyValuePair<string, byte[]>> Held { get; init; } = [];

    /// <summary>
    /// A half character at the end of this text, as a JSON escape, held back until its other half comes.
    /// </summary>
    public ReadOnlyMemory<byte> Half { get; init; }

    /// <summary>The id that the agent gave the message; clients use it too. Null without one.</summary>
    public string? ClientId { get; init; }

    /// <summary>The id of the message to which these pieces belong; null while there is none.</summary>
    public string? MessageId { get; init; }

    /// <summary>The number of pieces of the JSON in the database.</summary>
    public long Pieces { get; init; }

    /// <summary>The JSON behind them.</summary>
    public ReadOnlyMemory<byte> Head { get; init; }
}
