namespace Postern.Access;

/// <summary>
/// A provider's way of signing: a row of <see cref="All"/>. The redaction of captured headers, the table in the
/// documents and the tests are made from these rows.
/// </summary>
/// <param name="Name">What callers call it.</param>
/// <param name="Proof">What verifies it.</param>
/// <param name="Headers">Where the signature or the secret stands; the first that is there counts.</param>
/// <param name="Repeat">What a repeat is known by.</param>
/// <param name="Secret">What its secrets must be.</param>
/// <param name="Form">How it is written, for <see cref="Proof.Hmac"/>.</param>
/// <param name="Source">The provider's page.</param>
internal sealed record SignatureScheme(
    string Name,
    Proof Proof,
    string[] Headers,
    RepeatBy Repeat,
    SecretRule Secret,
    string Source,
    HmacForm? Form = null
)
{
    public const string Hmac = "hmac";
    public const string HeaderSecret = "header";

    private static readonly string[] Generic = ["X-Hax-Signature", "X-Webhook-Signature"];

    public static IReadOnlyList<SignatureScheme> All { get; } =
    [
        new(
            "standard",
            Proof.Standard,
            ["webhook-signature", "svix-signature"],
            RepeatBy.SignedId,
            SecretRule.StandardWebhooks,
            "https://www.standardwebhooks.com"
        ),
        new(
            "svix",
            Proof.Standard,
            ["svix-signature", "webhook-signature"],
            RepeatBy.SignedId,
            SecretRule.StandardWebhooks,
            "https://docs.svix.com/receiving/verifying-payloads/how-manual"
        ),
        new(
            "stripe",
            Proof.TimedHmac,
            ["Stripe-Signature", .. Generic],
            RepeatBy.EventId,
            SecretRule.Given,
            "https://docs.stripe.com/webhooks"
        ),
        new(
            "github",
            Proof.Hmac,
            ["X-Hub-Signature-256", .. Generic],
            RepeatBy.Message,
            SecretRule.Given,
            "https://docs.github.com/webhooks",
            new("sha256=")
        ),
        new(
            "sha256",
            Proof.Hmac,
            ["X-Hub-Signature-256", .. Generic],
            RepeatBy.Message,
            SecretRule.Given,
            "https://docs.github.com/webhooks",
            new("sha256=")
        ),
        new(
            "slack",
            Proof.Hmac,
            ["X-Slack-Signature"],
            RepeatBy.EventId,
            SecretRule.Given,
            "https://api.slack.com/authentication/verifying-requests-from-slack",
            new("v0=", Signed: "v0:{timestamp}:{body}", TimestampHeader: "X-Slack-Request-Timestamp")
        ),
        new(
            "gitlab",
            Proof.Secret,
            ["X-Gitlab-Token"],
            RepeatBy.Delivery,
            SecretRule.InHeader,
            "https://docs.gitlab.com/user/project/integrations/webhooks"
        ),
        new(
            "shopify",
            Proof.Hmac,
            ["X-Shopify-Hmac-Sha256"],
            RepeatBy.Message,
            SecretRule.Given,
            "https://shopify.dev/docs/apps/build/webhooks/subscribe/https",
            new(Encoding: "base64")
        ),
        new(
            "linear",
            Proof.Hmac,
            ["Linear-Signature"],
            RepeatBy.Message,
            SecretRule.Given,
            "https://linear.app/developers/webhooks",
            new()
        ),
        new(
            "pagerduty",
            Proof.Hmac,
            ["X-PagerDuty-Signature"],
            RepeatBy.Message,
            SecretRule.Given,
            "https://developer.pagerduty.com/docs/verifying-webhook-signatures",
            new("v1=")
        ),
        new(
            "typeform",
            Proof.Hmac,
            ["Typeform-Signature"],
            RepeatBy.Message,
            SecretRule.Given,
            "https://www.typeform.com/developers/webhooks/secure-your-webhooks/",
            new("sha256=", Encoding: "base64")
        ),
        new(
            "sentry",
            Proof.Hmac,
            ["Sentry-Hook-Signature"],
            RepeatBy.Message,
            SecretRule.Given,
            "https://docs.sentry.io/organization/integrations/integration-platform/webhooks/",
            new()
        ),
        new(
            "zoom",
            Proof.Hmac,
            ["x-zm-signature"],
            RepeatBy.Message,
            SecretRule.Given,
            "https://developers.zoom.us/docs/api/webhooks/",
            new("v0=", Signed: "v0:{timestamp}:{body}", TimestampHeader: "x-zm-request-timestamp")
        ),
        new(
            "discord",
            Proof.Ed25519,
            ["X-Signature-Ed25519"],
            RepeatBy.Message,
            SecretRule.PublicKeyInHex,
            "https://discord.com/developers/docs/interactions/overview",
            new(Signed: "{timestamp}{body}", TimestampHeader: "X-Signature-Timestamp")
        ),
        new(Hmac, Proof.Hmac, [], RepeatBy.Message, SecretRule.Own, "described by the trigger"),
        new(HeaderSecret, Proof.Secret, [], RepeatBy.Delivery, SecretRule.InHeader, "a header that the trigger names"),
    ];

    /// <summary>The names that a trigger may use: all except the one that stands for a plain header.</summary>
    public static string[] Named { get; } = [.. All.Where(s => s.Name != HeaderSecret).Select(s => s.Name)];

    /// <summary>Every header that may contain a secret or a signature, in lower case.</summary>
    public static IReadOnlySet<string> SecretHeaders { get; } =
        All.SelectMany(s => s.Headers).Select(h => h.ToLowerInvariant()).ToHashSet(StringComparer.Ordinal);

    public static SignatureScheme? Of(string name) => All.FirstOrDefault(s => s.Name == name);
}
