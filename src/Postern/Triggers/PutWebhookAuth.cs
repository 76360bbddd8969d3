using Postern.Access;
using Postern.Http;

namespace Postern.Triggers;

[Strict]
internal sealed record PutWebhookAuth
{
    [Word(
        "The scheme by which the sender signs; a secret in a header if left out.",
        typeof(SignatureScheme),
        nameof(SignatureScheme.Named)
    )]
    public string? Scheme { get; init; }

    [Text("The header that holds the signature or the secret.", 1, 128)]
    public string? Header { get; init; }

    [Text("The secret.", 1, 512)]
    public string? Secret { get; init; }

    [Texts("The secrets, while one is replaced by another.", 5, 512)]
    public IReadOnlyList<string>? Secrets { get; init; }

    [Text("hmac: what stands before the signature.", 0, 64)]
    public string? Prefix { get; init; }

    [Word("hmac: the hash.", "sha256", "sha1", "sha512")]
    public string? Algorithm { get; init; }

    [Word("hmac: how the signature is written.", "hex", "base64")]
    public string? Encoding { get; init; }

    [Text("hmac: what is signed: {body} once, with {timestamp} and {id} where they are signed too.", 6, 200)]
    public string? Signed { get; init; }

    [Text("hmac: the header of the timestamp.", 1, 128)]
    public string? TimestampHeader { get; init; }

    [Text("hmac: the header of the id.", 1, 128)]
    public string? IdHeader { get; init; }

    [Whole("hmac: seconds that a timestamp may be off.", 1, 86_400)]
    public long? ToleranceSeconds { get; init; }

    /// <summary>The members that describe the form of an HMAC.</summary>
    public static IReadOnlyList<string> OfHmac { get; } =
    ["prefix", "algorithm", "encoding", "signed", "timestampHeader", "idHeader", "toleranceSeconds"];
}
