namespace Postern.Deliveries;

/// <summary>
/// Thrown for a URL that this server does not connect to. It names the rule, not the address behind a name.
/// </summary>
internal sealed class OutboundRefusedException(string rule) : Exception(rule);
