using Postern.Http;

namespace Postern.Runs;

internal sealed record ValidationRefused(
    [Member("The stable code.")] string Code,
    [Member("What is wrong, for people.")] string Message,
    [Member("What is wrong, field by field.")] ValidationDetails Details);
