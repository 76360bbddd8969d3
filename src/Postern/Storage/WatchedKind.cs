namespace Postern.Storage;

internal enum WatchedKind
{
    Session,
    SessionNamed,
    Run,
}
