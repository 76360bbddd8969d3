namespace Postern.Sessions;

/// <summary>A name of a session. One text may be the external id of one session and the key of another.</summary>
internal enum Reference
{
    Id,
    ExternalId,
    Key,
}
