using Postern.Http;

namespace Postern.Sessions;

internal sealed record SwappedRun(
    [Member("The run that is live now.")] string RunId,
    [Member("Whether this call ended the one before.")] bool Swapped
);
