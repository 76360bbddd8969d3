namespace Postern.Support;

public enum Backend
{
    Sqlite,
    Postgres,
}
