using Postern.Http;

namespace Postern.Sessions;

internal sealed record AppendedBatch(
    [Member("True.")] bool Ok,
    [Member("The number of the first record.")] long Start,
    [Member("One past the number of the last record.")] long End,
    [Member("Whether somebody has asked the open turn to stop.")] bool StopAsked
);
