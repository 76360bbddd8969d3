using Postern.Http;

namespace Postern.Deliveries;

internal sealed record RotatedSecret(
    [Member("The new secret: shown once.")] string Secret,
    [At("Until when the old secret signs too.")] string PreviousValidUntil
);
