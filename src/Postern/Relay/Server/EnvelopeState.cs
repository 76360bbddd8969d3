namespace Postern.Relay.Server;

/// <summary>The states of an envelope: stored, then one of the others for ever.</summary>
internal static class EnvelopeState
{
    public const string Stored = "stored";
    public const string Answered = "answered";

    /// <summary>Nobody answered it in its time.</summary>
    public const string Expired = "expired";

    /// <summary>Its plane was revoked, or has other keys now.</summary>
    public const string Deleted = "deleted";
}
