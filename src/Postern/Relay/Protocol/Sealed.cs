namespace Postern.Relay.Protocol;

/// <summary>A message sealed by <see cref="Hpke"/>.</summary>
/// <param name="Enc">The encapsulated key: a point of 65 bytes.</param>
/// <param name="Text">The sealed bytes, and 16 more of the tag.</param>
internal sealed record Sealed(byte[] Enc, byte[] Text);
