using Postern.Storage;

namespace Postern.Sessions;

/// <summary>The changes of sessions and turns to which others react.</summary>
internal sealed record SessionReactions(
    Reactions<SessionCreated> Created,
    Reactions<SessionRunStarted> RunStarted,
    Reactions<TurnBegan> TurnBegan,
    Reactions<TurnEnded> TurnEnded,
    Reactions<SessionEnded> SessionEnded
);
