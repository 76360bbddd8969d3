namespace Postern.Relay.Protocol;

/// <summary>The key that two sides have agreed on for one message (<see cref="Hpke"/>). It is used once.</summary>
/// <param name="Enc">The encapsulated key: a point of 65 bytes.</param>
internal sealed record MessageKey(byte[] Enc, byte[] Key, byte[] Nonce);
