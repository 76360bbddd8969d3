using Postern.Access;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// A server on a temporary database of its own. It never listens; it exists to print its tables and documents.
/// </summary>
internal sealed class Scratch : IAsyncDisposable
{
    private readonly string _folder;
    private readonly Database _database;

    private Scratch(string folder, Database database, WebApplication app) =>
        (_folder, _database, App) = (folder, database, app);

    public WebApplication App { get; }

    public static async Task<Scratch> CreateAsync(CancellationToken cancel, bool isRelay = false)
    {
        var folder = Directory.CreateTempSubdirectory("postern-").FullName;
        var serve = new ServeOptions(folder, "http://127.0.0.1:0", null, false);
        var database = await serve.OpenDatabaseAsync(TimeProvider.System, cancel);
        var master = MasterKey.FromText(Guid.NewGuid().ToString("N"));
        var (options, clock) = (new PosternOptions(), TimeProvider.System);
        var app = isRelay
            ? RelayServer.Build(database, master, options, serve.Urls, clock)
            : Server.Build(database, master, options, serve.Urls, clock);
        return new Scratch(folder, database, app);
    }

    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        await _database.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
