namespace Postern.Relay.Server;

/// <summary>What the relay made of a plane's answer.</summary>
/// <param name="State">Answered: it is committed, now or before. Else the envelope is gone.</param>
internal sealed record SettledAnswer(string Id, long Seq, string State);
