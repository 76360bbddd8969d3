using Postern.Access;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>
/// The members of <c>webhookAuth</c>, checked: a value that can never match is refused when it is set.
/// </summary>
internal static class WebhookAuth
{
    /// <summary>Headers with a meaning in HTTP itself, or that everybody sends.</summary>
    private static readonly string[] Protocol =
    [
        "host",
        "content-type",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "date",
        "user-agent",
        "accept",
        "accept-encoding",
    ];

    /// <summary>Reads the form of a described sender's signature.</summary>
    /// <param name="asked">What is asked.</param>
    /// <param name="auth">The members that it was read from; null clears one.</param>
    /// <param name="before">What absent members stay.</param>
    public static HmacForm FormOf(PutWebhookAuth asked, Fields auth, HmacForm before)
    {
        var usual = new HmacForm();
        var form = new HmacForm(
            auth.Changed("prefix", asked.Prefix, before.Prefix) ?? usual.Prefix,
            auth.Changed("algorithm", asked.Algorithm, before.Algorithm) ?? usual.Algorithm,
            auth.Changed("encoding", asked.Encoding, before.Encoding) ?? usual.Encoding,
            auth.Changed("signed", asked.Signed, before.Signed) ?? usual.Signed,
            auth.Changed("timestampHeader", asked.TimestampHeader, before.TimestampHeader),
            auth.Changed("idHeader", asked.IdHeader, before.IdHeader),
            auth.Changed("toleranceSeconds", asked.ToleranceSeconds, before.ToleranceSeconds) ?? usual.ToleranceSeconds
        );
        CheckForm(form, auth);
        return form;
    }

    private static void CheckForm(HmacForm form, Fields auth)
    {
        if (form.Signed.Split("{body}").Length != 2)
            auth.Fault("signed", "must hold {body} once");
        if (form.SignsTime && form.TimestampHeader is null)
            auth.Fault("timestampHeader", "is required where {timestamp} is signed");
        if (form.SignsId && form.IdHeader is null)
            auth.Fault("idHeader", "is required where {id} is signed");
        foreach (
            var (name, header) in ((string, string?)[])
                [("timestampHeader", form.TimestampHeader), ("idHeader", form.IdHeader)]
        )
            if (header is not null && !IsName(header))
                auth.Fault(name, "must be the name of a header");
    }

    public static void CheckHeader(Fields auth, string? scheme, string? header)
    {
        if (header is null)
        {
            if (scheme == SignatureScheme.Hmac)
                auth.Fault("header", "is required for the scheme hmac");
            return;
        }
        if (!IsName(header))
            auth.Fault("header", "must be the name of a header");
        else if (Protocol.Contains(header, StringComparer.OrdinalIgnoreCase))
            auth.Fault("header", $"must not be {header}: it means something to HTTP itself");
    }

    /// <summary>Returns the secrets without their line ends; faults name the wrong one.</summary>
    public static List<string> CheckSecrets(
        Fields auth,
        SignatureScheme scheme,
        IReadOnlyList<string> secrets,
        bool single
    )
    {
        var kept = new List<string>();
        foreach (var given in secrets)
        {
            var (secret, problem) = scheme.Secret.Check(given);
            if (problem is not null)
                auth.Fault(single ? "secret" : $"secrets[{kept.Count}]", problem);
            kept.Add(secret);
        }
        return kept;
    }

    /// <summary>Returns whether a text is the name of a header.</summary>
    public static bool IsName(string header) => header.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}
