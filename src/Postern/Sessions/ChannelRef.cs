namespace Postern.Sessions;

/// <summary>A channel of a session, named by a path.</summary>
/// <param name="Session">The session.</param>
/// <param name="Channel">The channel as its records are kept under.</param>
internal readonly record struct ChannelRef(SessionRef Session, string Channel);
