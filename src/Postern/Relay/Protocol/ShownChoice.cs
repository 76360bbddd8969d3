namespace Postern.Relay.Protocol;

/// <summary>An answer that is offered besides yes and no.</summary>
/// <param name="Value">What the answer names it by.</param>
internal sealed record ShownChoice(string Value, string Label);
