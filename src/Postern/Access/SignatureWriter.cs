using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Access;

/// <summary>
/// Signs a message as its sender would, by the rows with which <see cref="Signatures"/> verifies. For messages that
/// this server sends to itself.
/// </summary>
internal static class SignatureWriter
{
    /// <summary>Returns the secret with which this server can sign, or null when it has none.</summary>
    private static string? SecretOf(SignatureRule rule) =>
        rule.Scheme.Proof switch
        {
            Proof.Ed25519 => null,
            Proof.Standard => rule.Secrets.FirstOrDefault(s => s.StartsWith("whsec_", StringComparison.Ordinal)),
            _ => rule.Secrets.FirstOrDefault(s => s.Length > 0),
        };

    private static string NewSecret(Proof proof)
    {
        var bytes = RandomNumberGenerator.GetBytes(32);
        return proof == Proof.Standard ? "whsec_" + Convert.ToBase64String(bytes) : Convert.ToHexStringLower(bytes);
    }

    /// <summary>
    /// Returns the headers of a signed message, or null when this server cannot sign because only the sender has the
    /// private key.
    /// </summary>
    /// <param name="rule">How its senders sign.</param>
    /// <param name="body">The bytes to send.</param>
    /// <param name="seconds">When it is said to be signed, Unix time.</param>
    /// <param name="id">What the message is called, where that is signed; without a full stop.</param>
    /// <param name="wrongly">By a secret that nobody has.</param>
    public static List<(string Name, string Value)>? Sign(
        SignatureRule rule,
        byte[] body,
        long seconds,
        string id,
        bool wrongly
    )
    {
        if (SecretOf(rule) is not { } secret)
            return null;
        if (wrongly)
            secret = NewSecret(rule.Scheme.Proof);
        var header = rule.Header ?? rule.Scheme.Headers[0];
        return rule.Scheme.Proof switch
        {
            Proof.Standard => Standard(header, secret, body, seconds, id),
            Proof.TimedHmac => [(header, $"t={seconds},v1={Hex(secret, $"{seconds}.", body, "")}")],
            Proof.Secret => [(header, secret)],
            _ => Described(header, rule.Form ?? rule.Scheme.Form!, secret, body, seconds, id),
        };
    }

    /// <summary>Returns whether a scheme signs the time, so that an old message can be recognised.</summary>
    public static bool SignsTime(SignatureRule rule) =>
        rule.Scheme.Proof is Proof.Standard or Proof.TimedHmac
        || (rule.Scheme.Proof == Proof.Hmac && (rule.Form ?? rule.Scheme.Form!).SignsTime);

    private static List<(string, string)> Standard(string header, string secret, byte[] body, long seconds, string id)
    {
        var prefix = header.StartsWith("svix-", StringComparison.OrdinalIgnoreCase) ? "svix-" : "webhook-";
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        var key = Convert.FromBase64String(secret["whsec_".Length..]);
        SignatureMath.Mac("sha256", key, Encoding.UTF8.GetBytes($"{id}.{seconds}."), body, [], mac);
        return
        [
            (prefix + "id", id),
            (prefix + "timestamp", seconds.ToString(CultureInfo.InvariantCulture)),
            (header, "v1," + Convert.ToBase64String(mac)),
        ];
    }

    private static List<(string, string)> Described(
        string header,
        HmacForm form,
        string secret,
        byte[] body,
        long seconds,
        string id
    )
    {
        var instant = seconds.ToString(CultureInfo.InvariantCulture);
        var filled = form
            .Signed.Replace("{timestamp}", instant, StringComparison.Ordinal)
            .Replace("{id}", id, StringComparison.Ordinal);
        var at = filled.IndexOf("{body}", StringComparison.Ordinal);
        var mac = Mac(form.Algorithm, secret, filled[..at], body, filled[(at + "{body}".Length)..]);
        var headers = new List<(string, string)>
        {
            (
                header,
                form.Prefix + (form.Encoding == "base64" ? Convert.ToBase64String(mac) : Convert.ToHexStringLower(mac))
            ),
        };
        if (form.TimestampHeader is { } timestamp)
            headers.Add((timestamp, instant));
        if (form.IdHeader is { } named)
            headers.Add((named, id));
        return headers;
    }

    private static string Hex(string secret, string head, byte[] body, string tail) =>
        Convert.ToHexStringLower(Mac("sha256", secret, head, body, tail));

    private static byte[] Mac(string algorithm, string secret, string head, byte[] body, string tail)
    {
        var mac = new byte[SignatureMath.SizeOf(algorithm)];
        SignatureMath.Mac(
            algorithm,
            Encoding.UTF8.GetBytes(secret),
            Encoding.UTF8.GetBytes(head),
            body,
            Encoding.UTF8.GetBytes(tail),
            mac
        );
        return mac;
    }
}
