using Postern.Http;

namespace Postern.Runs;

[Strict]
internal sealed record PutArtifacts(
    [Texts("Artifacts that are written once.", 100, 128)] IReadOnlyList<string>? Immutable,
    [Texts("Artifacts that may be written anew.", 100, 128)] IReadOnlyList<string>? Mutable
);
