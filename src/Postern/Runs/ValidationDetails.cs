using Postern.Http;

namespace Postern.Runs;

internal sealed record ValidationDetails(
    [Member("All that is wrong with the body.")] IReadOnlyList<ValidationError> Errors);
