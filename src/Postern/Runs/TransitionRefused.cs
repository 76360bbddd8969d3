using Postern.Http;

namespace Postern.Runs;

internal sealed record TransitionRefused(
    [Member("ILLEGAL_TRANSITION or the like.")] string Code,
    [Member("What is wrong, for people.")] string Message,
    [Member("What a program needs to go on.")] TransitionDetails Details);
