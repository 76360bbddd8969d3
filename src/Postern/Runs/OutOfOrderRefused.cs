using Postern.Http;

namespace Postern.Runs;

internal sealed record OutOfOrderRefused(
    [Member("The stable code.")] string Code,
    [Member("What is wrong, for people.")] string Message,
    [Member("What a program needs to go on.")] OutOfOrderDetails Details);
