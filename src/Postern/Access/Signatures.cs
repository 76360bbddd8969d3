using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace Postern.Access;

/// <summary>
/// Verifies signatures over raw bytes. Comparisons take constant time, and the work before a credential is known is
/// limited: one HMAC for each secret, compared with every signature of the header; at most two signatures with a public
/// key.
/// </summary>
internal static class Signatures
{
    public const int MaxSecrets = 40;
    private const int MaxForms = 2;

    /// <param name="rule">Who may sign and how.</param>
    /// <param name="headers">The request's.</param>
    /// <param name="body">Exactly the bytes that came.</param>
    /// <param name="nowMicroseconds">The server's clock.</param>
    public static SignatureAnswer Verify(
        SignatureRule rule,
        IHeaderDictionary headers,
        ReadOnlySpan<byte> body,
        long nowMicroseconds
    )
    {
        if (rule.Secrets.Count == 0 || rule.Secrets.Any(s => s.Length == 0))
            return SignatureAnswer.Invalid;
        var given = rule.Header is { } own ? One(headers, own) : First(headers, rule.Scheme.Headers);
        if (string.IsNullOrEmpty(given))
            return SignatureAnswer.Unsigned;
        var now = nowMicroseconds / 1_000_000;
        var answer = Verify(rule, headers, given, body, now);
        if (answer.IsValid || rule.Retired.Count == 0)
            return answer;
        // Used for every refusal, so that the time reveals nothing.
        var before = Verify(rule with { Secrets = rule.Retired }, headers, given, body, now);
        return before.IsValid || before.Fault.StartsWith("signed_", StringComparison.Ordinal)
            ? SignatureAnswer.Invalid with
            {
                Fault = "retired_secret",
            }
            : answer;
    }

    private static SignatureAnswer Verify(
        SignatureRule rule,
        IHeaderDictionary headers,
        string given,
        ReadOnlySpan<byte> body,
        long now
    ) =>
        rule.Scheme.Proof switch
        {
            Proof.Standard => Standard(rule, headers, given, body, now),
            Proof.TimedHmac => TimedHmac(rule, given, body, now),
            Proof.Secret => Secret(rule, given),
            Proof.Ed25519 => PublicKey(rule, headers, given, body, now),
            _ when IsTimed(given) && rule.Scheme.Name == "sha256" => TimedHmac(rule, given, body, now),
            _ => DescribedHmac(rule, headers, given, body, now),
        };

    /// <summary>For senders that choose their form: the headers, and the forms that each may contain.</summary>
    private static readonly (string Header, string[] Forms)[] Places =
    [
        ("webhook-signature", [SignatureForm.Standard]),
        ("svix-signature", [SignatureForm.Standard]),
        ("Stripe-Signature", [SignatureForm.Timed]),
        ("X-Hub-Signature-256", [SignatureForm.Sha256]),
        ("X-Hax-Signature", [SignatureForm.Timed, SignatureForm.Sha256, SignatureForm.Raw]),
        ("X-Webhook-Signature", [SignatureForm.Timed, SignatureForm.Sha256, SignatureForm.Raw]),
    ];

    private static readonly SignatureScheme StandardScheme = SignatureScheme.Of("standard")!;
    private static readonly SignatureScheme TimedScheme = SignatureScheme.Of("stripe")!;
    private static readonly SignatureScheme UntimedScheme = SignatureScheme.Of("github")!;

    public static bool IsSigned(IHeaderDictionary headers) =>
        Array.Exists(Places, p => !string.IsNullOrWhiteSpace(headers[p.Header].ToString()));

    /// <summary>
    /// Returns the forms in which a request is signed, each with its header. More than two are refused: each costs an
    /// HMAC of the whole body for every secret, and a sender needs one, or two during a change.
    /// </summary>
    public static IReadOnlyList<(string Header, string Form)> FormsOf(IHeaderDictionary headers)
    {
        var found = new List<(string, string)>(MaxForms);
        foreach (var (header, forms) in Places)
        {
            if (!headers.ContainsKey(header))
                continue;
            if (found.Count == MaxForms)
                return [];
            var form =
                One(headers, header) is not { } given ? ""
                : forms is [SignatureForm.Standard] ? SignatureForm.Standard
                : IsTimed(given) ? SignatureForm.Timed
                : given.StartsWith("sha256=", StringComparison.Ordinal) ? SignatureForm.Sha256
                : SignatureForm.Raw;
            found.Add((header, forms.Contains(form, StringComparer.Ordinal) ? form : ""));
        }
        return found;
    }

    /// <summary>
    /// Returns whether an approval service has signed a body, in one of the forms that the service allows.
    /// </summary>
    /// <param name="service">Its secrets, and how it signs.</param>
    /// <param name="forms">Of <see cref="FormsOf"/>.</param>
    /// <param name="headers">The request's.</param>
    /// <param name="body">Exactly the bytes that came.</param>
    /// <param name="nowMicroseconds">The server's clock.</param>
    public static bool IsBy(
        ApprovalService service,
        IReadOnlyList<(string Header, string Form)> forms,
        IHeaderDictionary headers,
        ReadOnlySpan<byte> body,
        long nowMicroseconds
    )
    {
        var valid = false;
        var alsoTimed = service.Forms.Contains(SignatureForm.Timed, StringComparer.Ordinal);
        foreach (var (header, form) in forms)
        {
            if (
                !service.Forms.Contains(form, StringComparer.Ordinal)
                || (service.RequireTimestamp && form is SignatureForm.Sha256 or SignatureForm.Raw)
            )
                continue;
            var rule = form switch
            {
                SignatureForm.Standard => new SignatureRule(StandardScheme, service.Secrets, header),
                SignatureForm.Timed => new SignatureRule(TimedScheme, service.TextSecrets, header),
                _ => new SignatureRule(UntimedScheme, service.TextSecrets, header, AlsoTimed: alsoTimed),
            };
            valid |= Verify(rule, headers, body, nowMicroseconds).IsValid;
        }
        return valid;
    }

    private static bool IsTimed(string given) =>
        given.Contains("t=", StringComparison.Ordinal) || given.Contains(',', StringComparison.Ordinal);

    private static SignatureAnswer Standard(
        SignatureRule rule,
        IHeaderDictionary headers,
        string given,
        ReadOnlySpan<byte> body,
        long now
    )
    {
        var prefix = (rule.Header ?? rule.Scheme.Headers.First(headers.ContainsKey)).StartsWith(
            "svix-",
            StringComparison.OrdinalIgnoreCase
        )
            ? "svix-"
            : "webhook-";
        // An id with a full stop could move the boundary between the signed parts.
        if (
            One(headers, prefix + "id") is not { Length: > 0 and <= 256 } id
            || id.Contains('.', StringComparison.Ordinal)
            || !IsInstant(One(headers, prefix + "timestamp"), out var seconds)
        )
            return SignatureAnswer.Invalid;
        var candidates = given
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Take(SignatureMath.MaxCandidates)
            .ToList();
        var head = Encoding.UTF8.GetBytes($"{id}.{seconds}.");
        var valid = IsShared(rule, candidates, head, body) | IsByKey(rule, candidates, head, body);
        return IsFresh(seconds, now, HmacForm.StandardTolerance)
            ? new SignatureAnswer(valid, "standard " + id)
            : SignatureAnswer.Stale(valid, now - seconds);
    }

    /// <summary>Returns whether a shared secret made one of the <c>v1</c> signatures. All are compared.</summary>
    private static bool IsShared(
        SignatureRule rule,
        List<string> candidates,
        ReadOnlySpan<byte> head,
        ReadOnlySpan<byte> body
    )
    {
        var signatures = SignatureMath.Decode(
            candidates.Where(c => c.StartsWith("v1,", StringComparison.Ordinal)).Select(c => c[3..]),
            base64: true
        );
        var valid = false;
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        foreach (var key in KeysOf(rule, "whsec_"))
        {
            if (signatures.Count == 0)
                break;
            SignatureMath.Mac("sha256", key, head, body, [], expected);
            foreach (var signature in signatures)
                valid |= CryptographicOperations.FixedTimeEquals(signature, expected);
        }
        return valid;
    }

    /// <summary>Returns whether a public key matches one of the <c>v1a</c> signatures. All are compared.</summary>
    private static bool IsByKey(
        SignatureRule rule,
        List<string> candidates,
        ReadOnlySpan<byte> head,
        ReadOnlySpan<byte> body
    )
    {
        var signatures = SignatureMath.Decode(
            candidates
                .Where(c => c.StartsWith("v1a,", StringComparison.Ordinal))
                .Take(SignatureMath.MaxKeyCandidates)
                .Select(c => c[4..]),
            base64: true
        );
        var valid = false;
        foreach (var key in KeysOf(rule, "whpk_"))
            valid |= SignatureMath.IsByKey(key, signatures, [.. head, .. body]);
        return valid;
    }

    private static IEnumerable<byte[]> KeysOf(SignatureRule rule, string prefix) =>
        rule
            .Secrets.Take(MaxSecrets)
            .Where(s => s.StartsWith(prefix, StringComparison.Ordinal))
            .Select(s => SignatureMath.Base64(s[prefix.Length..]))
            .OfType<byte[]>();

    /// <summary><c>t=…,v1=…[,v1=…]</c> over the instant, a full stop and the body.</summary>
    private static SignatureAnswer TimedHmac(SignatureRule rule, string given, ReadOnlySpan<byte> body, long now)
    {
        var parts = given.Split(',', StringSplitOptions.TrimEntries);
        var instants = parts.Where(p => p.StartsWith("t=", StringComparison.Ordinal)).ToList();
        if (
            parts.Length > SignatureMath.MaxCandidates
            || instants.Count != 1
            || !IsInstant(instants[0][2..], out var seconds)
        )
            return SignatureAnswer.Invalid;
        var signatures = SignatureMath.Decode(
            parts.Where(p => p.StartsWith("v1=", StringComparison.Ordinal)).Select(p => p[3..]),
            base64: false
        );
        var head = Encoding.ASCII.GetBytes($"{seconds}.");
        var valid = SignatureMath.AnyMatches(rule.Secrets, "sha256", head, body, [], signatures);
        return IsFresh(seconds, now, HmacForm.StandardTolerance)
            ? new SignatureAnswer(valid, "timed " + SignatureMath.Digest(head, body, []))
            : SignatureAnswer.Stale(valid, now - seconds);
    }

    /// <summary>A signature over a template with the body, and possibly an instant and an id.</summary>
    private static SignatureAnswer DescribedHmac(
        SignatureRule rule,
        IHeaderDictionary headers,
        string given,
        ReadOnlySpan<byte> body,
        long now
    )
    {
        var form = rule.Form ?? rule.Scheme.Form!;
        if (Template(form, headers, now) is not { } template)
            return SignatureAnswer.Invalid;
        if (!form.SignsTime && (rule.AlsoTimed || rule.Scheme.Name == "sha256") && CouldBeTimed(body))
            return SignatureAnswer.Invalid;
        if (WrittenIn(given, form) is not { } written)
            return SignatureAnswer.Invalid;
        var (head, tail, stale) = template;
        var valid = SignatureMath.AnyMatches(
            rule.Secrets,
            form.Algorithm,
            head,
            body,
            tail,
            SignatureMath.Decode(written, form.Encoding == "base64")
        );
        return stale is { } age
            ? SignatureAnswer.Stale(valid, age)
            : new SignatureAnswer(
                valid,
                (form.SignsTime ? "timed " : "body ") + SignatureMath.Digest(head, body, tail)
            );
    }

    /// <summary>Returns the signatures of a header, without their prefix, or null when there are too many.</summary>
    private static IEnumerable<string>? WrittenIn(string given, HmacForm form)
    {
        // The generic headers also accept plain hex, as the contract requires.
        var plain = form.Prefix == "sha256=" && form.Encoding == "hex";
        var candidates = given.Split(
            [',', ' '],
            StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries
        );
        return candidates.Length > SignatureMath.MaxCandidates
            ? null
            : candidates.Select(c => WithoutPrefix(c, form.Prefix) ?? (plain ? c : null)).OfType<string>();
    }

    private static string? WithoutPrefix(string candidate, string prefix) =>
        candidate.StartsWith(prefix, StringComparison.Ordinal) ? candidate[prefix.Length..] : null;

    private static SignatureAnswer PublicKey(
        SignatureRule rule,
        IHeaderDictionary headers,
        string given,
        ReadOnlySpan<byte> body,
        long now
    )
    {
        if (Template(rule.Scheme.Form!, headers, now) is not { } template)
            return SignatureAnswer.Invalid;
        var (head, tail, stale) = template;
        byte[] signed = [.. head, .. body, .. tail];
        var signatures = SignatureMath.Decode([given], base64: false);
        var valid = false;
        foreach (var secret in rule.Secrets.Take(MaxSecrets))
            if (secret.Length == 2 * Ed25519.PublicKeySize && secret.All(char.IsAsciiHexDigit))
                valid |= SignatureMath.IsByKey(Convert.FromHexString(secret), signatures, signed);
        return stale is { } age
            ? SignatureAnswer.Stale(valid, age)
            : new SignatureAnswer(valid, "timed " + SignatureMath.Digest(head, body, tail));
    }

    private static SignatureAnswer Secret(SignatureRule rule, string given)
    {
        // Header values are UTF-8, read byte by byte. Digests of equal length are compared, so that the time reveals
        // nothing of the secret.
        var hashed = SHA256.HashData(Encoding.Latin1.GetBytes(given));
        var valid = false;
        foreach (var secret in rule.Secrets.Take(MaxSecrets))
            valid |= CryptographicOperations.FixedTimeEquals(hashed, SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
        return new SignatureAnswer(valid, null);
    }

    /// <summary>
    /// Returns the signed text before and behind the body, and how many seconds too old it is. Returns null when a
    /// header that it needs is missing or invalid.
    /// </summary>
    private static (byte[] Head, byte[] Tail, long? Stale)? Template(HmacForm form, IHeaderDictionary headers, long now)
    {
        var (seconds, stale) = (0L, (long?)null);
        if (form.SignsTime)
        {
            if (form.TimestampHeader is null || !IsInstant(One(headers, form.TimestampHeader), out seconds))
                return null;
            if (!IsFresh(seconds, now, form.ToleranceSeconds))
                stale = now - seconds;
        }
        string? id = null;
        if (
            form.SignsId
            && (
                form.IdHeader is null
                || (id = One(headers, form.IdHeader)) is not { Length: > 0 and <= 256 }
                || id.Contains('.', StringComparison.Ordinal)
            )
        )
            return null;
        var filled = form
            .Signed.Replace("{timestamp}", seconds.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("{id}", id ?? "", StringComparison.Ordinal);
        var at = filled.IndexOf("{body}", StringComparison.Ordinal);
        return (Encoding.UTF8.GetBytes(filled[..at]), Encoding.UTF8.GetBytes(filled[(at + "{body}".Length)..]), stale);
    }

    /// <summary>
    /// A body without an instant that begins like <c>t.body</c>: an old timed message, sent again without its time.
    /// </summary>
    private static bool CouldBeTimed(ReadOnlySpan<byte> body)
    {
        var digits = body.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        return digits > 0 && body[digits] == '.';
    }

    private static bool IsInstant(string? text, out long seconds) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out seconds)
        && seconds < long.MaxValue / 2
        && seconds.ToString(CultureInfo.InvariantCulture) == text;

    private static bool IsFresh(long seconds, long now, long tolerance) => Math.Abs(now - seconds) <= tolerance;

    /// <summary>
    /// Returns a header that occurs once. A repeated one is refused: the server must not choose which one was signed.
    /// </summary>
    private static string? One(IHeaderDictionary headers, string name) =>
        headers.TryGetValue(name, out StringValues values) && values.Count == 1 ? values[0] : null;

    private static string? First(IHeaderDictionary headers, IReadOnlyList<string> names) =>
        names.Where(headers.ContainsKey).Select(n => One(headers, n)).FirstOrDefault();
}
