namespace Postern.Relay.Protocol;

/// <summary>What two sides agreed on for one message (<see cref="Hpke"/>). It is used once.</summary>
/// <param name="Enc">The encapsulated key: a point of 65 bytes.</param>
internal sealed record MessageKey(byte[] Enc, byte[] Key, byte[] Nonce);
