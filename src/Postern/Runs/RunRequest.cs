namespace Postern.Runs;

/// <summary>What was done under a name.</summary>
/// <param name="Run">The run that it was done to.</param>
/// <param name="Digest">SHA-256 of what was asked.</param>
/// <param name="Answer">What was answered; empty while it is being done, and for a retry.</param>
internal sealed record RunRequest(string Run, byte[] Digest, byte[] Answer);
