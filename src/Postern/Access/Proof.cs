namespace Postern.Access;

/// <summary>What verifies a request of a scheme.</summary>
internal enum Proof
{
    /// <summary>An HMAC of what is signed, in a header of its own.</summary>
    Hmac,

    /// <summary>The form <c>t=…,v1=…</c>: the instant and the HMACs stand in one header.</summary>
    TimedHmac,

    /// <summary>Standard Webhooks 1.0: HMAC with <c>whsec_…</c>, ed25519 with <c>whpk_…</c>.</summary>
    Standard,

    /// <summary>An ed25519 signature in hex, with its instant in a header beside it.</summary>
    Ed25519,

    /// <summary>The header holds the secret itself.</summary>
    Secret,
}
