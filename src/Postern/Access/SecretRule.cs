using Org.BouncyCastle.Math.EC.Rfc8032;

namespace Postern.Access;

/// <summary>
/// The requirements on a secret, checked when it is set. A secret that can never match, or that is easy to guess, is
/// refused at once. Stored secrets are not checked again.
/// </summary>
internal sealed class SecretRule
{
    /// <summary>
    /// The least length of a secret that is made for this server (Standard Webhooks: "random, at least 24 bytes").
    /// </summary>
    public const int OwnLength = 24;

    /// <summary>The least length of a secret that a provider makes.</summary>
    public const int GivenLength = 8;

    private readonly Func<string, string?> _problem;

    private SecretRule(Func<string, string?> problem) => _problem = problem;

    /// <summary>A secret that its owner chooses.</summary>
    public static SecretRule Own { get; } = new(s => TooShort(s, OwnLength));

    /// <summary>A secret in the provider's own form.</summary>
    public static SecretRule Given { get; } = new(s => TooShort(s, GivenLength));

    /// <summary>A secret that travels in a header as it is.</summary>
    public static SecretRule InHeader { get; } =
        new(s =>
            TooShort(s, GivenLength)
            ?? (s.Trim() == s ? null : "must not begin or end with a space: no header carries it")
        );

    /// <summary><c>whsec_</c> and 24 to 64 bytes, or <c>whpk_</c> and an ed25519 public key, in base 64.</summary>
    public static SecretRule StandardWebhooks { get; } =
        new(s =>
            s.StartsWith("whpk_", StringComparison.Ordinal)
                ? ValidateKey(FromBase64(s["whpk_".Length..]), "whpk_ and an ed25519 public key in base 64")
            : s.StartsWith("whsec_", StringComparison.Ordinal)
            && FromBase64(s["whsec_".Length..]) is { Length: >= 24 and <= 64 }
                ? null
            : "must be whsec_ and 24 to 64 bytes in base 64, or whpk_ and a public key"
        );

    /// <summary>The secret of an approval service: any text, or a key of Standard Webhooks.</summary>
    public static SecretRule OfService { get; } =
        new(s =>
            s.StartsWith("whsec_", StringComparison.Ordinal) || s.StartsWith("whpk_", StringComparison.Ordinal)
                ? StandardOrText(s)
                : TooShort(s, OwnLength)
        );

    public static SecretRule PublicKeyInHex { get; } =
        new(s => ValidateKey(FromHex(s), "an ed25519 public key in hex"));

    /// <summary>
    /// Returns the secret without the line end that copying often adds, and what is wrong with it, or null.
    /// </summary>
    public (string Secret, string? Problem) Check(string given)
    {
        var secret = given.TrimEnd('\r', '\n');
        return (secret, secret.Any(char.IsControl) ? "must not hold control characters" : _problem(secret));
    }

    private static string? TooShort(string secret, int least) =>
        secret.Length >= least ? null : $"must have at least {least} characters";

    /// <summary>
    /// Stripe's secrets also begin with <c>whsec_</c>, but are texts. If they are long enough, they are accepted as
    /// such.
    /// </summary>
    private static string? StandardOrText(string secret) =>
        StandardWebhooks._problem(secret) is { } problem
            ? secret.StartsWith("whpk_", StringComparison.Ordinal)
                ? problem
                : TooShort(secret["whsec_".Length..], OwnLength)
            : null;

    /// <summary>With a point of small order, everybody could sign; a value that is no point verifies nothing.</summary>
    private static string? ValidateKey(byte[]? key, string what) =>
        key is not { Length: var length } || length != Ed25519.PublicKeySize
            ? $"must be {what}: {Ed25519.PublicKeySize} bytes"
        : Ed25519.ValidatePublicKeyFull(key, 0) ? null
        : $"must be {what}: these bytes are no such key, or one that everybody could sign for";

    private static byte[]? FromBase64(string text)
    {
        var bytes = new byte[(text.Length + 3) / 4 * 3];
        return text.Length <= 1024 && Convert.TryFromBase64String(text, bytes, out var length) ? bytes[..length] : null;
    }

    private static byte[]? FromHex(string text) =>
        text.Length == 2 * Ed25519.PublicKeySize && text.All(char.IsAsciiHexDigit) ? Convert.FromHexString(text) : null;
}
