namespace Postern.Relay.Server;

/// <summary>The topics that a relay's commits announce.</summary>
internal static class RelayTopics
{
    /// <summary>An envelope was stored for a plane, or is gone.</summary>
    public static string Of(string plane) => "relay/" + plane;

    /// <summary>The connections or the keys of a plane changed, or it was revoked.</summary>
    public static string OfConnections(string plane) => $"relay/{plane}/connections";

    /// <summary>An envelope was answered, or is gone.</summary>
    public static string OfEnvelope(string id) => "relay/" + id;
}
