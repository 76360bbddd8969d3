namespace Postern.Relay.Protocol;

/// <summary>One of the answers that are offered beside yes and no.</summary>
/// <param name="Value">What the answer names it by.</param>
internal sealed record ShownChoice(string Value, string Label);
