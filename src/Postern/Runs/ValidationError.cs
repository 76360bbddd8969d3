using Postern.Http;

namespace Postern.Runs;

internal sealed record ValidationError(
    [Member("The field.")] string Field,
    [Member("What is wrong with it.")] string Problem);
