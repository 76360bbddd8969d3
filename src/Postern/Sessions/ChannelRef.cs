namespace Postern.Sessions;

/// <summary>A channel of a session, as a path names it.</summary>
/// <param name="Session">The session.</param>
/// <param name="Channel">The channel as its records are kept under.</param>
internal readonly record struct ChannelRef(SessionRef Session, string Channel);
