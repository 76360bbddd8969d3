namespace Postern.Relay.Server;

/// <summary>How the relay settled a plane's answer.</summary>
/// <param name="State">Answered: it is committed, now or before. Else the envelope is gone.</param>
internal sealed record SettledAnswer(string Id, long Seq, string State);
