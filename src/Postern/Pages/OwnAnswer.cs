namespace Postern.Pages;

/// <summary>What a door of this server answered to a test.</summary>
/// <param name="Body">At most its first 64 KiB.</param>
internal sealed record OwnAnswer(int Status, ReadOnlyMemory<byte> Body);
