using Postern.Http;

namespace Postern.Access;

[Strict]
internal sealed record CreateCallbackSecret(
    [Text(
        "Printable ASCII without spaces. Without one the server makes one.",
        CallbackSecrets.MinLength,
        CallbackSecrets.MaxLength
    )]
        string? Secret
);
