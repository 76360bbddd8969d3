using Postern.Access;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// The foundation of a serving process, opened before anything else: its folder with the lock, its settings, its master
/// key, its database.
/// </summary>
internal sealed class ServeGround : IAsyncDisposable
{
    private readonly IDisposable? _lock;

    private ServeGround(PosternOptions options, MasterKey master, Database database, IDisposable? held)
    {
        (Options, Master, Database, _lock) = (options, master, database, held);
    }

    public PosternOptions Options { get; }

    public MasterKey Master { get; }

    public Database Database { get; }

    /// <exception cref="SetupException">Something of it is not there, or not to be had.</exception>
    public static async Task<ServeGround> OpenAsync(ServeOptions serve, CancellationToken cancel)
    {
        serve.Folder.Prepare();
        serve.Folder.CheckFiles();
        var options = serve.ReadSettings();
        var held = serve.Database is null ? serve.Folder.Lock() : null;
        try
        {
            foreach (var url in ListenUrls.Split(serve.Urls))
                if (ListenUrls.Try(url) is { } why)
                    throw new SetupException($"{url} cannot be listened on: {ListenUrls.Explain(why)}.");
            var master = serve.ReadMasterKey();
            var database = await serve.OpenDatabaseAsync(TimeProvider.System, cancel);
            serve.Folder.Prepare();
            // Before the open descriptors are counted: each assembly keeps one.
            Assemblies.LoadAll(options);
            return new ServeGround(options, master, database, held);
        }
        catch
        {
            held?.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        _lock?.Dispose();
    }
}
