using Postern.Agents;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>The rows that are read before a capture starts.</summary>
/// <param name="Agent">Who answers; null: it is not registered.</param>
/// <param name="SharedName">The name of the session that such requests share; null: each has its own.</param>
/// <param name="Named">The session that has it; null where requests share none.</param>
internal sealed record CaptureNeeds(Ahead<Agent?> Agent, string? SharedName, Ahead<Session?>? Named);
