namespace Postern.Sessions;

/// <summary>The part of a session that never changes, enough to decide who may do what with it.</summary>
internal sealed record SessionRef(string Project, string Id, string? ExternalId, string Agent, string Key)
{
    /// <summary>The name that clients use: the external id, if there is one.</summary>
    public string Name => ExternalId ?? Id;
}
