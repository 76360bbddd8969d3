namespace Postern.Relay.Server;

/// <summary>What commits of a relay announce.</summary>
internal static class RelayTopics
{
    /// <summary>Something is stored for a plane, or is gone.</summary>
    public static string Of(string plane) => "relay/" + plane;

    /// <summary>Its connections changed, its keys did, or it was revoked.</summary>
    public static string OfConnections(string plane) => $"relay/{plane}/connections";

    /// <summary>An envelope was answered, or is gone.</summary>
    public static string OfEnvelope(string id) => "relay/" + id;
}
