using Postern.Http;

namespace Postern.Access;

internal sealed record RotatedKey(
    [Member("The key's id.")] string Id,
    [Member("The key with its new secret: shown once.")] string Key,
    [At("When the old secret ends.")] string PreviousValidUntil
);
