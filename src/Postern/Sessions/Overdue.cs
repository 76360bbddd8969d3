namespace Postern.Sessions;

internal enum Overdue
{
    Turn,
    Expiry,
    WantedRun,
}
