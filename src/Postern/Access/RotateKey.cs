using Postern.Http;

namespace Postern.Access;

[Strict]
internal sealed record RotateKey(
    [Whole("Seconds that the old secret stays valid.", 0, 30 * 86_400, Default = 86_400)] long OverlapSeconds
);
