using Postern.Agents;

namespace Postern.Dispatch;

/// <summary>An agent as it was put.</summary>
/// <param name="Secret">The secret that was made for it, to be shown this once; null where none was made.</param>
internal sealed record SavedAgent(Agent Agent, bool IsNew, string? Secret);
