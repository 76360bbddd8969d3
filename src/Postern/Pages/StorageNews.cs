using System.Text;
using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// Says in the streams of pages that the database is away, and since when, and that it is back: a page that is open
/// stays, and its reader knows why nothing moves.
/// </summary>
internal sealed class StorageNews
{
    private static readonly byte[] Back = "event: storage\ndata: {}\n\n"u8.ToArray();
    private readonly AccessWatch _access;
    private readonly Database _database;
    private byte[] _away = Back;

    public StorageNews(AccessWatch access, Database database, PageStreams places)
    {
        (_access, _database) = (access, database);
        access.Reached += () =>
        {
            if (access.IsAway)
                Volatile.Write(ref _away, Away());
            places.WakeAll();
        };
    }

    private byte[] Away() =>
        Encoding.ASCII.GetBytes($"event: storage\ndata: {{\"away\":\"{Wire.Iso(_database.Now)}\"}}\n\n");

    /// <summary>For one stream: what is to be told now; null when it was told.</summary>
    public Func<ReadOnlyMemory<byte>?> ForOne()
    {
        var told = false;
        return () =>
        {
            var isAway = _access.IsAway;
            if (isAway == told)
                return null;
            told = isAway;
            return isAway ? Volatile.Read(ref _away) : Back;
        };
    }
}
