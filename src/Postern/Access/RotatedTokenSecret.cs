using Postern.Http;

namespace Postern.Access;

/// <param name="Number">Counts the project's secrets; the secret itself never leaves the server.</param>
internal sealed record RotatedTokenSecret(
    [Member("Counts the project's secrets; the secret itself never leaves the server.")] long Number
);
