namespace Postern.Sessions;

/// <summary>How a session ends.</summary>
internal enum SessionEnd
{
    /// <summary>Somebody closed it.</summary>
    Closed,

    /// <summary>It came to its expiry, and what follows from that has been done.</summary>
    Expired,
}
