namespace Postern.Sessions;

/// <summary>How a session is named. The same text may be one session's external id and another's key.</summary>
internal enum Reference
{
    Id,
    ExternalId,
    Key,
}
