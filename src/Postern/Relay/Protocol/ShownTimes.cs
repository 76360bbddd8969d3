namespace Postern.Relay.Protocol;

/// <summary>When a question was asked, and until when it can be answered: ISO 8601.</summary>
internal sealed record ShownTimes(string Requested, string Expires);
