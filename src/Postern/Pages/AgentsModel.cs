using Postern.Agents;

namespace Postern.Pages;

/// <summary>A page of agents.</summary>
/// <param name="Asked">When a worker asked for work last, of those whose workers claim, by slug.</param>
/// <param name="Next">The cursor of the next page; null at the end.</param>
internal sealed record AgentsModel(IReadOnlyList<Agent> Rows, IReadOnlyDictionary<string, long?> Asked, string? Next);
