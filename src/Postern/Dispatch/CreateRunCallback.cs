using Postern.Http;

namespace Postern.Dispatch;

[Strict]
internal sealed record CreateRunCallback(
    [Text("The URL that is called when the run has ended.", 1, 2048)] string Url,
    [Text("Signs the call. Without one the server makes one, and the answer shows it.", 1, 256)] string? Secret
);
