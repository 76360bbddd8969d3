using Postern.Triggers;

namespace Postern.Pages;

/// <summary>The content of the form of a trigger.</summary>
/// <param name="Trigger">The one that is changed; null: one is made.</param>
/// <param name="Agents">The slugs of the agents that there are, as far as the one who makes it may read them.</param>
internal sealed record TriggerEditModel(Trigger? Trigger, IReadOnlyList<string> Agents);
