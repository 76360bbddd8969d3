using Postern.Http;

namespace Postern.Triggers;

[Strict]
internal sealed record PutWebhookAuth(
    [Member("The scheme by which the sender signs; a secret in a header if left out.")] string? Scheme,
    [Text("The header that holds the signature or the secret.", 1, 128)] string? Header,
    [Text("The secret.", 1, 512)] string? Secret,
    [Texts("The secrets, while one is replaced by another.", 5, 512)] IReadOnlyList<string>? Secrets,
    [Text("hmac: what stands before the signature.", 0, 64)] string? Prefix,
    [Word("hmac: the hash.", "sha256", "sha1", "sha512")] string? Algorithm,
    [Word("hmac: how the signature is written.", "hex", "base64")] string? Encoding,
    [Text("hmac: what is signed: {body} once, with {timestamp} and {id} where they are signed too.", 6, 200)]
        string? Signed,
    [Text("hmac: the header of the timestamp.", 1, 128)] string? TimestampHeader,
    [Text("hmac: the header of the id.", 1, 128)] string? IdHeader,
    [Whole("hmac: seconds that a timestamp may be off.", 1, 86_400)] long? ToleranceSeconds
);
