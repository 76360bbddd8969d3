using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// The projects (tenants). A project is created in one transaction with its root key and its initial content.
/// </summary>
internal sealed class Projects(Database database, KnownProjects known, MasterKey master, ProjectSeed seed)
{
    /// <summary>The project that the first start creates; its root key may create others.</summary>
    public const string Default = "default";

    private string? _default;

    public async ValueTask<string?> DefaultAsync() => _default ??= (await FindAsync(Default))?.Id;

    /// <summary>Makes the caller for a project and an authority.</summary>
    public ProjectCaller Caller(string project, Authority authority) => new(project, authority, database);

    public ValueTask<Project?> FindAsync(string nameOrId) =>
        database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT id, name, created_at FROM project WHERE name = $1 OR id = $1",
                r => new Project(r.GetString(0), r.GetString(1), r.GetInt64(2)),
                nameOrId
            )
        );

    /// <summary>Returns the name of a project, or its id when it is gone.</summary>
    public async ValueTask<string> NameAsync(string project) => (await FindAsync(project))?.Name ?? project;

    public ValueTask<List<Project>> ListAsync(long beforeAt, string beforeId, int limit) =>
        database.ReadAsync(tx =>
            tx.ListAsync(
                """
                SELECT id, name, created_at
                FROM project
                WHERE (created_at, id) < ($1, $2)
                ORDER BY created_at DESC, id DESC LIMIT $3
                """,
                r => new Project(r.GetString(0), r.GetString(1), r.GetInt64(2)),
                beforeAt,
                beforeId,
                limit
            )
        );

    /// <summary>
    /// Creates a project with its root key. Returns null when the name is taken. When several nodes create it together,
    /// one succeeds.
    /// </summary>
    /// <param name="by">The caller that makes it; null for the command line and the first start.</param>
    public async Task<(Project Project, ApiKey RootKey)?> CreateAsync(
        string name,
        string createdBy,
        ApiKey? rootKey = null,
        ProjectCaller? by = null
    )
    {
        var project = new Project(Id.New("proj", database.Now), name, database.Now);
        var key = rootKey ?? ApiKey.Generate("root", Id.New("key", database.Now));
        var made = await database.WriteAsync<(Project, ApiKey)?>(async tx =>
        {
            if (
                await tx.ExecuteAsync(
                    "INSERT INTO project (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
                    project.Id,
                    name,
                    project.CreatedAt
                ) == 0
            )
                return null;
            await KeyStore.BeginChangeAsync(tx, by, master);
            var (salt, digest) = KeyDigest.Of(key.Text);
            var sealedKey = master.Protect(key.Text, KeyStore.SealPurpose(project.Id, key.Id));
            await KeyStore.InsertAsync(
                tx,
                new KeyRow
                {
                    Project = project.Id,
                    Id = key.Id,
                    Kind = "root",
                    Name = "root",
                    Scopes = [],
                    Salt = salt,
                    Digest = digest,
                    Sealed = sealedKey,
                    CreatedBy = createdBy,
                    CreatedAt = tx.Now,
                    Changed = 0,
                }
            );
            await seed(tx, project.Id);
            Audit.Write(tx, new AuditRow(project.Id, "project.created", Actor: createdBy));
            return (project, key);
        });
        if (made is not null)
            known.Add(project.Id);
        return made;
    }
}
