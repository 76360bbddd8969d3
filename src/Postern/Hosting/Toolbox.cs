using Microsoft.Extensions.Logging.Abstractions;
using Postern.Access;
using Postern.Agents;
using Postern.Relay.Plane;
using Postern.Runs;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// The tools for the commands besides <c>serve</c>: the database of a server that may be running. Nothing listens.
/// </summary>
internal sealed class Toolbox : IAsyncDisposable
{
    private readonly Database _database;
    private readonly Func<PosternOptions> _settings;
    private readonly Tokens _tokens;
    private readonly KnownProjects _known;

    private Toolbox(Database database, MasterKey master, Func<PosternOptions> settings)
    {
        (_database, _settings) = (database, settings);
        Planes = new PlaneStore(database, master);
        KeyRows = new KeyStore(database);
        var (revocations, known) = (new Revocations(), new KnownProjects());
        var ring = new KeyRing(KeyRows, known, master);
        _known = known;
        _tokens = new Tokens(ring, KeyRows, revocations, master, database);
        Consoles = new ConsoleSessions(database, ring, new PosternOptions());
        Projects = new Projects(database, known, master, AgentStore.SeedAsync);
        Keys = new KeyAdmin(
            database,
            KeyRows,
            master,
            new AccessWatch(
                database,
                KeyRows,
                new AccessInMemory(
                    ring,
                    revocations,
                    new CallbackSecrets(database, known, master, RunStore.NoneLivesSince),
                    new ApprovalServices(database, master)
                ),
                Consoles,
                TimeProvider.System,
                NullLogger<AccessWatch>.Instance
            ),
            new PosternOptions()
        );
    }

    public PlaneStore Planes { get; }

    public PlaneEnrolment Enrolment => new(Planes, _database, _settings());

    public PlaneProbe Probe => new(_database, _settings(), TimeProvider.System);

    public KeyStore KeyRows { get; }

    public KeyAdmin Keys { get; }

    public Projects Projects { get; }

    public ConsoleSessions Consoles { get; }

    /// <summary>Returns a token of the project's root key, and writes it to the audit.</summary>
    public async Task<string> MintAsync(string project, IReadOnlyList<string> scopes, long expiresAt)
    {
        _known.Add(project);
        await Keys.MintedAsync(project, scopes, expiresAt, null);
        return await _tokens.MintAsync(project, scopes, expiresAt);
    }

    public long Now => _database.Now;

    public static async Task WithAsync(ServeOptions serve, CancellationToken cancel, Func<Toolbox, Task> use)
    {
        if (serve.Database is null && !File.Exists(serve.Folder.Database))
            throw new SetupException(
                $"There is no database in {serve.Folder.Path}. Name its folder with --data, or start the server "
                    + $"once: postern serve --data {serve.Data}"
            );
        if (
            serve.Database is null
            && serve.Folder.IsLocked()
            && Migrations.VersionOfSqlite(serve.Folder.Database) < Migrations.Newest
        )
            throw new SetupException(
                $"An older postern serves {serve.Folder.Path}: this one would migrate its database under it. Stop "
                    + "it first, or use its own binary."
            );
        var master = serve.ReadMasterKey();
        await using var tools = new Toolbox(
            await serve.OpenDatabaseAsync(TimeProvider.System, cancel),
            master,
            serve.ReadSettings
        );
        await use(tools);
    }

    public async ValueTask<string> ProjectAsync(string name) =>
        (await Projects.FindAsync(name))?.Id
        ?? throw new SetupException($"There is no project {name}. See: postern projects list");

    public async ValueTask<KeyRow> KeyAsync(string project, string id) =>
        await KeyRows.FindAsync(id) is { RevokedAt: null } row && row.Project == project
            ? row
            : throw new SetupException($"There is no key {id} in the project. See: postern keys list");

    public ValueTask DisposeAsync() => _database.DisposeAsync();
}
