namespace Postern.Pages;

/// <summary>The answer of one of this server's doors to a test.</summary>
/// <param name="Body">At most its first 64 KiB.</param>
internal sealed record OwnAnswer(int Status, ReadOnlyMemory<byte> Body);
