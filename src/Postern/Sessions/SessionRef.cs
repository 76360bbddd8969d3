namespace Postern.Sessions;

/// <summary>What never changes about a session: enough to decide who may do what with it, without its row.</summary>
internal sealed record SessionRef(string Project, string Id, string? ExternalId, string Agent, string Key)
{
    /// <summary>How clients name it: the external id where there is one.</summary>
    public string Name => ExternalId ?? Id;
}
