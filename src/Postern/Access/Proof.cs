namespace Postern.Access;

/// <summary>How a request of a scheme is verified.</summary>
internal enum Proof
{
    /// <summary>An HMAC in a header of its own.</summary>
    Hmac,

    /// <summary>The form <c>t=…,v1=…</c>: one header contains the instant and the HMACs.</summary>
    TimedHmac,

    /// <summary>Standard Webhooks 1.0: HMAC with <c>whsec_…</c>, ed25519 with <c>whpk_…</c>.</summary>
    Standard,

    /// <summary>An ed25519 signature in hex, with its instant in another header.</summary>
    Ed25519,

    /// <summary>The header holds the secret itself.</summary>
    Secret,
}
