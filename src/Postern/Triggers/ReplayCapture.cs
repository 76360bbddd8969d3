using Postern.Http;

namespace Postern.Triggers;

[Strict]
internal sealed record ReplayCapture(
    [Text("Another body in place of the one that came, as text; of at most 262144 bytes.", 0, InboundRoutes.MaxBody)]
        string? Body
);
