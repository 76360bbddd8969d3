using Postern.Storage;

namespace Postern.Sessions;

/// <summary>The changes of a session and of its turns that others must hear of.</summary>
internal sealed record SessionReactions(
    Reactions<SessionCreated> Created,
    Reactions<SessionRunStarted> RunStarted,
    Reactions<TurnBegan> TurnBegan,
    Reactions<TurnEnded> TurnEnded,
    Reactions<SessionEnded> SessionEnded
);
