namespace Postern.Sessions;

/// <summary>How a session ends.</summary>
internal enum SessionEnd
{
    /// <summary>Somebody closed it.</summary>
    Closed,

    /// <summary>It has expired, and the consequences are done.</summary>
    Expired,
}
