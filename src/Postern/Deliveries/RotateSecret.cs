using Postern.Http;

namespace Postern.Deliveries;

[Strict]
internal sealed record RotateSecret(
    [Whole("Seconds that the old secret signs too.", 0, 30 * 86_400, Default = 86_400)] long OverlapSeconds
);
