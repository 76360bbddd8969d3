namespace Postern.Sessions;

/// <summary>The state of a session: its run, and its open turn.</summary>
/// <param name="Run">The live run; null when there is none.</param>
/// <param name="RunWantedUntil">Until when a message waits for its agent to be registered; null when none does.</param>
/// <param name="TurnDeadline">When the open turn must have ended; null when none is open.</param>
/// <param name="TurnSeconds">How long it may go without a record of its agent.</param>
/// <param name="TurnInSeq">The last message that the open turn answers.</param>
internal sealed record SessionTurn(
    string Id,
    string Agent,
    string? Run,
    long? RunWantedUntil,
    long? TurnDeadline,
    long TurnSeconds,
    long TurnInSeq
);
