using Postern.Access;
using Postern.Relay.Server;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>The tools for the commands of a relay: its database, whether or not it is being served.</summary>
internal sealed class RelayToolbox : IAsyncDisposable
{
    private readonly Database _database;

    private RelayToolbox(Database database, MasterKey master, PosternOptions options, string urls)
    {
        _database = database;
        var address = new ServerAddress(options);
        address.ListensOn(ListenUrls.Split(urls)[0]);
        Projects = new Projects(database, new KnownProjects(), master, RelayServer.Nothing);
        Identity = new RelayIdentity(database, master);
        Planes = new RelayPlaneStore(database);
        Connections = new ConnectionStore(database);
        var envelopes = new EnvelopeStore(database, Identity);
        Enrolments = new Enrolments(database, Identity, master, address, envelopes, options);
        Ends = new PlaneEnds(database, Planes, envelopes, new PageStore(database), Projects);
    }

    public Projects Projects { get; }

    public RelayIdentity Identity { get; }

    public RelayPlaneStore Planes { get; }

    public ConnectionStore Connections { get; }

    public Enrolments Enrolments { get; }

    public PlaneEnds Ends { get; }

    /// <summary>Returns the audit row for the action of a command.</summary>
    public async ValueTask<AuditRow> RowAsync(string action, string? reason = null) =>
        new(await Projects.DefaultAsync() ?? Audit.NoProject, action, Actor: "command line", Reason: reason);

    public static async Task WithAsync(ServeOptions serve, CancellationToken cancel, Func<RelayToolbox, Task> use)
    {
        if (serve.Database is null && !File.Exists(serve.Folder.Database))
            throw new SetupException(
                $"There is no relay in {serve.Folder.Path}. Name its folder with --data, or start it once: "
                    + $"postern relay serve --data {serve.Data}"
            );
        var master = serve.ReadMasterKey();
        var options = serve.ReadSettings();
        var database = await serve.OpenDatabaseAsync(TimeProvider.System, cancel);
        await using var tools = new RelayToolbox(database, master, options, serve.Urls);
        await use(tools);
    }

    public async ValueTask DisposeAsync()
    {
        Identity.Dispose();
        await _database.DisposeAsync();
    }
}
