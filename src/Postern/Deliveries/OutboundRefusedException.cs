namespace Postern.Deliveries;

/// <summary>A URL that this server does not connect to. The rule is named, not the address behind a name.</summary>
internal sealed class OutboundRefusedException(string rule) : Exception(rule);
