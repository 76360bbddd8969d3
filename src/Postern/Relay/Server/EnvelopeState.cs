namespace Postern.Relay.Server;

/// <summary>The states of an envelope: first stored, then one of the others, which is final.</summary>
internal static class EnvelopeState
{
    public const string Stored = "stored";
    public const string Answered = "answered";

    /// <summary>It was not answered in time.</summary>
    public const string Expired = "expired";

    /// <summary>Its plane was revoked, or has new keys.</summary>
    public const string Deleted = "deleted";
}
