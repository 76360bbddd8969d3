using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace Postern.Access;

/// <summary>How a sender signs, and with which secrets: several while one is rotated, the first that matches wins.</summary>
/// <param name="Scheme">One of <see cref="SignatureScheme"/>.</param>
/// <param name="Header">A header of its own; null for the scheme's.</param>
/// <param name="RequireTimestamp">Forms without an instant are refused.</param>
internal sealed record SignatureRule(string Scheme, IReadOnlyList<string> Secrets, string? Header = null, bool RequireTimestamp = false);

internal static class SignatureScheme
{
    public const string Standard = "standard";
    public const string Stripe = "stripe";
    public const string GitHub = "github";
    public const string Slack = "slack";
    public const string GitLab = "gitlab";
    public const string Sha256 = "sha256";
    /// <summary>The header holds the secret itself.</summary>
    public const string HeaderSecret = "header";

    public static readonly string[] Named = [Standard, GitHub, Stripe, Slack, GitLab, Sha256];
}

/// <summary>The forms that an approval service may sign in; the names of providers that sign so stand for them.</summary>
internal static class SignatureForm
{
    public const string Standard = "standard";
    /// <summary><c>t=…,v1=…</c></summary>
    public const string Timed = "timed";
    /// <summary><c>sha256=…</c></summary>
    public const string Sha256 = "sha256";
    /// <summary>Hex alone.</summary>
    public const string Raw = "raw";

    public static readonly string[] All = [Standard, Timed, Sha256, Raw];

    public static string? Of(string name) => name switch { SignatureScheme.Stripe => Timed, SignatureScheme.GitHub => Sha256, _ => All.Contains(name, StringComparer.Ordinal) ? name : null };
}

/// <param name="IsValid">The sender knows a secret, the bytes are as he signed them and, for timed forms, fresh.</param>
/// <param name="Replay">What a repeat of the same message has in common with it; null where the scheme knows nothing of messages.</param>
internal readonly record struct SignatureAnswer(bool IsValid, string? Replay)
{
    public static SignatureAnswer Invalid => default;
}

/// <summary>
/// Signatures over raw bytes, each scheme as its provider does it: Standard Webhooks 1.0 (https://www.standardwebhooks.com), Stripe
/// (https://docs.stripe.com/webhooks), GitHub (https://docs.github.com/webhooks), Slack (https://api.slack.com/authentication/verifying-requests-from-slack), GitLab.
/// All comparisons take the same time whatever differs.
/// </summary>
internal static class Signatures
{
    private const long ToleranceSeconds = 300;
    private const int MaxCandidates = 16;
    private const int MaxForms = 2;
    private static readonly string[] Generic = ["X-Hax-Signature", "X-Webhook-Signature"];

    /// <param name="rule">Who may sign and how.</param>
    /// <param name="headers">The request's.</param>
    /// <param name="body">Exactly the bytes that came.</param>
    /// <param name="nowMicroseconds">The server's clock.</param>
    public static SignatureAnswer Verify(SignatureRule rule, IHeaderDictionary headers, ReadOnlySpan<byte> body, long nowMicroseconds)
    {
        if (rule.Secrets.Count == 0 || rule.Secrets.Any(s => s.Length == 0)) return SignatureAnswer.Invalid;
        var now = nowMicroseconds / 1_000_000;
        return rule.Scheme switch
        {
            SignatureScheme.Standard => Standard(rule, headers, body, now),
            SignatureScheme.Slack => Slack(rule, headers, body, now),
            SignatureScheme.GitLab => Secret(rule, One(headers, rule.Header ?? "X-Gitlab-Token")),
            SignatureScheme.HeaderSecret => rule.Header is null ? SignatureAnswer.Invalid : Secret(rule, One(headers, rule.Header)),
            SignatureScheme.Stripe => Hex(rule, First(headers, rule.Header is null ? ["Stripe-Signature", .. Generic] : [rule.Header]), body, now, timed: true, untimed: false),
            SignatureScheme.GitHub => Hex(rule, First(headers, rule.Header is null ? ["X-Hub-Signature-256", .. Generic] : [rule.Header]), body, now, timed: false, untimed: true),
            SignatureScheme.Sha256 => Hex(rule, First(headers, rule.Header is null ? ["X-Hub-Signature-256", .. Generic] : [rule.Header]), body, now, timed: true, untimed: true),
            _ => SignatureAnswer.Invalid,
        };
    }

    /// <summary>Where a sender chooses his form: the headers, and what may stand in each.</summary>
    private static readonly (string Header, string[] Forms)[] Places =
    [
        ("webhook-signature", [SignatureForm.Standard]), ("svix-signature", [SignatureForm.Standard]), ("Stripe-Signature", [SignatureForm.Timed]), ("X-Hub-Signature-256", [SignatureForm.Sha256]),
        ("X-Hax-Signature", [SignatureForm.Timed, SignatureForm.Sha256, SignatureForm.Raw]), ("X-Webhook-Signature", [SignatureForm.Timed, SignatureForm.Sha256, SignatureForm.Raw]),
    ];

    public static bool IsSigned(IHeaderDictionary headers) => Array.Exists(Places, p => !string.IsNullOrWhiteSpace(headers[p.Header].ToString()));

    /// <summary>
    /// The forms that a request is signed in, each with its header. None for more than two: each is an HMAC of the whole body for every secret, and whoever signs
    /// does it once, or twice while he moves over.
    /// </summary>
    public static IReadOnlyList<(string Header, string Form)> FormsOf(IHeaderDictionary headers)
    {
        var found = new List<(string, string)>(MaxForms);
        foreach (var (header, forms) in Places)
        {
            if (!headers.ContainsKey(header)) continue;
            if (found.Count == MaxForms) return [];
            var form = One(headers, header) is not { } given ? "" : forms is [SignatureForm.Standard] ? SignatureForm.Standard : IsTimed(given) ? SignatureForm.Timed : given.StartsWith("sha256=", StringComparison.Ordinal) ? SignatureForm.Sha256 : SignatureForm.Raw;
            found.Add((header, forms.Contains(form, StringComparer.Ordinal) ? form : ""));
        }
        return found;
    }

    /// <summary>Whether a body is signed by an approval service, in one of the forms that the service allows.</summary>
    /// <param name="service">Its secrets, and how it signs.</param>
    /// <param name="forms">Of <see cref="FormsOf"/>.</param>
    /// <param name="headers">The request's.</param>
    /// <param name="body">Exactly the bytes that came.</param>
    /// <param name="nowMicroseconds">The server's clock.</param>
    public static bool IsBy(ApprovalService service, IReadOnlyList<(string Header, string Form)> forms, IHeaderDictionary headers, ReadOnlySpan<byte> body, long nowMicroseconds)
    {
        var valid = false;
        foreach (var (header, form) in forms)
        {
            if (!service.Forms.Contains(form, StringComparer.Ordinal)) continue;
            var rule = form switch
            {
                SignatureForm.Standard => new SignatureRule(SignatureScheme.Standard, service.Secrets),
                SignatureForm.Timed => new SignatureRule(SignatureScheme.Stripe, service.TextSecrets, header),
                _ => new SignatureRule(SignatureScheme.GitHub, service.TextSecrets, header, service.RequireTimestamp),
            };
            valid |= Verify(rule, headers, body, nowMicroseconds).IsValid;
        }
        return valid;
    }

    private static bool IsTimed(string given) => given.Contains("t=", StringComparison.Ordinal) || given.Contains(',', StringComparison.Ordinal);

    private static SignatureAnswer Standard(SignatureRule rule, IHeaderDictionary headers, ReadOnlySpan<byte> body, long now)
    {
        var prefix = headers.ContainsKey("webhook-signature") ? "webhook-" : "svix-";
        if (One(headers, prefix + "id") is not { Length: > 0 and <= 256 } id || !Fresh(One(headers, prefix + "timestamp"), now, out var seconds) || One(headers, prefix + "signature") is not { } given) return SignatureAnswer.Invalid;
        byte[] signed = [.. Encoding.UTF8.GetBytes($"{id}.{seconds}."), .. body];
        var valid = false;
        foreach (var candidate in given.Split(' ', StringSplitOptions.RemoveEmptyEntries).Take(MaxCandidates))
        {
            var comma = candidate.IndexOf(',', StringComparison.Ordinal);
            if (comma < 0 || !TryBase64(candidate[(comma + 1)..], out var signature)) continue;
            foreach (var secret in rule.Secrets)
            {
                if (candidate.StartsWith("v1,", StringComparison.Ordinal) && secret.StartsWith("whsec_", StringComparison.Ordinal) && TryBase64(secret["whsec_".Length..], out var key))
                    valid |= CryptographicOperations.FixedTimeEquals(signature, HMACSHA256.HashData(key, signed));
                else if (candidate.StartsWith("v1a,", StringComparison.Ordinal) && secret.StartsWith("whpk_", StringComparison.Ordinal) && TryBase64(secret["whpk_".Length..], out var publicKey) && publicKey.Length == Ed25519.PublicKeySize && signature.Length == Ed25519.SignatureSize)
                    valid |= Ed25519.Verify(signature, 0, publicKey, 0, signed, 0, signed.Length);
            }
        }
        return new SignatureAnswer(valid, "standard " + id);
    }

    private static SignatureAnswer Slack(SignatureRule rule, IHeaderDictionary headers, ReadOnlySpan<byte> body, long now)
    {
        if (!Fresh(One(headers, "X-Slack-Request-Timestamp"), now, out var seconds) || One(headers, rule.Header ?? "X-Slack-Signature") is not { } given || !given.StartsWith("v0=", StringComparison.Ordinal)) return SignatureAnswer.Invalid;
        byte[] signed = [.. Encoding.ASCII.GetBytes($"v0:{seconds}:"), .. body];
        return new SignatureAnswer(AnyMatches(rule.Secrets, signed, [given[3..]]), "slack " + Digest(signed));
    }

    /// <summary>The three forms of a hex signature: <c>t=…,v1=…</c> over the instant and the body, <c>sha256=…</c> and plain hex over the body.</summary>
    private static SignatureAnswer Hex(SignatureRule rule, string? given, ReadOnlySpan<byte> body, long now, bool timed, bool untimed)
    {
        if (given is null) return SignatureAnswer.Invalid;
        if (IsTimed(given))
        {
            if (!timed) return SignatureAnswer.Invalid;
            var parts = given.Split(',', StringSplitOptions.TrimEntries);
            var instants = parts.Where(p => p.StartsWith("t=", StringComparison.Ordinal)).ToList();
            if (parts.Length > MaxCandidates || instants.Count != 1 || !Fresh(instants[0][2..], now, out var seconds)) return SignatureAnswer.Invalid;
            byte[] signed = [.. Encoding.ASCII.GetBytes($"{seconds}."), .. body];
            return new SignatureAnswer(AnyMatches(rule.Secrets, signed, [.. parts.Where(p => p.StartsWith("v1=", StringComparison.Ordinal)).Select(p => p[3..])]), "timed " + Digest(signed));
        }
        if (!untimed || rule.RequireTimestamp) return SignatureAnswer.Invalid;
        return new SignatureAnswer(AnyMatches(rule.Secrets, body, [given.StartsWith("sha256=", StringComparison.Ordinal) ? given["sha256=".Length..] : given]), "body " + Digest(body));
    }

    private static SignatureAnswer Secret(SignatureRule rule, string? given)
    {
        if (string.IsNullOrEmpty(given)) return SignatureAnswer.Invalid;
        // Digests of equal length are compared, so that the time says nothing of the secret's.
        var hashed = SHA256.HashData(Encoding.UTF8.GetBytes(given));
        var valid = false;
        foreach (var secret in rule.Secrets) valid |= CryptographicOperations.FixedTimeEquals(hashed, SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
        return new SignatureAnswer(valid, null);
    }

    private static bool AnyMatches(IReadOnlyList<string> secrets, ReadOnlySpan<byte> signed, IReadOnlyList<string> candidates)
    {
        var valid = false;
        Span<byte> given = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        foreach (var secret in secrets)
        {
            HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), signed, expected);
            foreach (var candidate in candidates)
                if (candidate.Length == given.Length * 2 && Convert.FromHexString(candidate, given, out _, out _) == System.Buffers.OperationStatus.Done) valid |= CryptographicOperations.FixedTimeEquals(given, expected);
        }
        return valid;
    }

    private static bool Fresh(string? text, long now, out long seconds) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out seconds) && seconds < long.MaxValue / 2 && Math.Abs(now - seconds) <= ToleranceSeconds && seconds.ToString(CultureInfo.InvariantCulture) == text;

    /// <summary>A header that stands there once; twice is none, because which one was signed is not ours to choose.</summary>
    private static string? One(IHeaderDictionary headers, string name) => headers.TryGetValue(name, out StringValues values) && values.Count == 1 ? values[0] : null;

    private static string? First(IHeaderDictionary headers, IReadOnlyList<string> names) => names.Where(headers.ContainsKey).Select(n => One(headers, n)).FirstOrDefault();

    private static bool TryBase64(string text, out byte[] bytes)
    {
        bytes = new byte[((text.Length + 3) / 4) * 3];
        if (text.Length > 1024 || !Convert.TryFromBase64String(text, bytes, out var length)) return false;
        bytes = bytes[..length];
        return length > 0;
    }

    private static string Digest(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
