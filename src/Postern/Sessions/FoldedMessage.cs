namespace Postern.Sessions;

/// <summary>The message of a turn as it is committed.</summary>
/// <param name="Content">Its JSON; what follows its pieces, where it has any.</param>
/// <param name="ClientId">What the agent calls it; null when it gave it no name.</param>
/// <param name="MessageId">The id that the pieces are under; null where there is none.</param>
/// <param name="Pieces">Pieces that stand in the database already.</param>
internal sealed record FoldedMessage(byte[] Content, string? ClientId, string? MessageId, long Pieces);
