using Postern.Http;

namespace Postern.Access;

/// <summary>
/// The routes for keys and projects, for administrators. The commands <c>postern keys</c> and <c>postern projects</c>
/// do the same.
/// </summary>
internal sealed class KeyRoutes(KeyAdmin admin, KeyStore store, Projects projects)
{
    private const int MaxBody = 64 * 1024;

    public void Map(Doors doors)
    {
        var keys = doors.Group("/api/v1/keys", ProblemFormat.Instance);
        keys.Post("", Credentials.Key, Authorization.Admin, Create)
            .WithSummary("Create a key")
            .Accepts<CreateKey>()
            .Produces<CreatedKey>(201)
            .Produces(400, 401, 403);
        keys.Get("", Credentials.Key, Authorization.Admin, List)
            .WithSummary("List the keys")
            .Paged()
            .Produces<Page<KeyView>>()
            .Produces(400, 401, 403);
        keys.Post("/{id}/rotate", Credentials.Key, Authorization.Admin, Rotate)
            .WithSummary("Give a key a new secret; the old one stays valid for an overlap")
            .MayTake<RotateKey>()
            .Produces<RotatedKey>()
            .Produces(400, 401, 403, 404);
        keys.Patch("/{id}", Credentials.Key, Authorization.Admin, Update)
            .WithSummary("Rename a key, change its scopes or expiry")
            .Accepts<UpdateKey>()
            .Produces<KeyView>()
            .Produces(400, 401, 403, 404);
        keys.Delete("/{id}", Credentials.Key, Authorization.Admin, Revoke)
            .WithSummary("Revoke a key at once")
            .Produces(204, 401, 403, 404, 409);

        var tenants = doors.Group("/api/v1/projects", ProblemFormat.Instance);
        tenants
            .Post("", Credentials.Key, "the root key of the project default", CreateProject)
            .WithSummary("Create a project")
            .Accepts<CreateProject>()
            .Produces<CreatedProject>(201)
            .Produces(400, 401, 403, 409);
        tenants
            .Get("", Credentials.Key, "the root key of the project default", ListProjects)
            .WithSummary("List the projects")
            .Paged()
            .Produces<Page<ProjectView>>()
            .Produces(400, 401, 403);
    }

    private async Task<IResult> Create(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<CreateKey>();
        var (scopes, expiresAt) = (asked.Scopes ?? [], asked.ExpiresAt);
        Check(fields, scopes, expiresAt);
        if (fields.Refusal() is { } wrong)
            return wrong;
        if (Minting.RefuseScopes(caller, scopes) is { } wider)
            return wider;
        if (Minting.RefuseExpiry(caller, expiresAt) is { } longer)
            return longer;
        var created = await admin.CreateAsync(
            caller.Project,
            asked.Name,
            asked.Kind,
            scopes,
            expiresAt,
            caller.Authority.LoggedActor,
            caller
        );
        if (!created.Try(out var made, out var full))
            return full;
        var (row, key) = made;
        return Reply.Created(
            new CreatedKey(
                row.Id,
                key.Text,
                row.Name,
                row.Kind,
                row.Scopes,
                Wire.Iso(row.CreatedAt),
                Wire.Iso(row.ExpiresAt)
            )
        );
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        var rows = await store.ListAsync(
            caller.Project,
            page.After?.At ?? long.MaxValue,
            page.After?.Id ?? "",
            page.Limit + 1
        );
        return Reply.Ok(Page.Of(rows, page.Limit, KeyView.Of, row => new Cursor(row.CreatedAt, row.Id)));
    }

    private async Task<IResult> Rotate(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody, emptyObject: true)).Try(out var fields, out var unreadable))
            return unreadable;
        var overlap = fields.Read<RotateKey>().OverlapSeconds;
        if (fields.Refusal() is { } wrong)
            return wrong;
        if (await FindAsync(http, caller) is not { } row)
            return NotFound;
        var actor = caller.Authority.LoggedActor;
        return Answer(await admin.RotateAsync(row, TimeSpan.FromSeconds(overlap), actor, caller), row.Id);
    }

    private async Task<IResult> Update(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<UpdateKey>();
        Check(fields, asked.Scopes, asked.ExpiresAt);
        var clearExpiry = fields.IsNull("expiresAt");
        if (fields.Refusal() is { } wrong)
            return wrong;
        if (await FindAsync(http, caller) is not { } row)
            return NotFound;
        if (row.Kind == "root")
            return new Refusal(
                409,
                "The root key has all rights of its project: it can be rotated, not narrowed.",
                "root_key"
            );
        var change = new KeyChange(asked.Name, asked.Scopes, asked.ExpiresAt, clearExpiry);
        return Answer(await admin.UpdateAsync(row, change, caller.Authority.LoggedActor, caller), row.Id);
    }

    private static IResult Answer(KeyOutcome outcome, string id) =>
        outcome switch
        {
            KeyOutcome.Rotated done => Reply.Ok(new RotatedKey(id, done.Key.Text, Wire.Iso(done.PreviousUntil))),
            KeyOutcome.Updated done => Reply.Ok(KeyView.Of(done.Row)),
            KeyOutcome.Refused refused => refused.Why,
            _ => NotFound,
        };

    private async Task<IResult> Revoke(HttpContext http, ProjectCaller caller)
    {
        if (await FindAsync(http, caller) is not { } row)
            return NotFound;
        if (row.Kind == "root")
            return new Refusal(
                409,
                "The root key cannot be revoked: rotate it, with overlapSeconds 0 to end the old one at once.",
                "root_key"
            );
        return await admin.RevokeAsync(row, caller.Authority.LoggedActor, caller) ? Reply.NoContent : NotFound;
    }

    private async Task<IResult> CreateProject(HttpContext http, ProjectCaller caller)
    {
        if (await RefuseUnlessDefaultRoot(caller) is { } forbidden)
            return forbidden;
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var name = fields.Read<CreateProject>().Name;
        if (fields.Refusal() is { } wrong)
            return wrong;
        if (await projects.CreateAsync(name, caller.Authority.LoggedActor, by: caller) is not { } made)
            return new Refusal(409, $"There is a project {name} already.", "project_exists");
        return Reply.Created(
            new CreatedProject(made.Project.Id, made.Project.Name, made.RootKey.Text, Wire.Iso(made.Project.CreatedAt))
        );
    }

    private async Task<IResult> ListProjects(HttpContext http, ProjectCaller caller)
    {
        if (await RefuseUnlessDefaultRoot(caller) is { } forbidden)
            return forbidden;
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        var rows = await projects.ListAsync(page.After?.At ?? long.MaxValue, page.After?.Id ?? "", page.Limit + 1);
        return Reply.Ok(
            Page.Of(
                rows,
                page.Limit,
                p => new ProjectView(p.Id, p.Name, Wire.Iso(p.CreatedAt)),
                p => new Cursor(p.CreatedAt, p.Id)
            )
        );
    }

    private async ValueTask<Refusal?> RefuseUnlessDefaultRoot(ProjectCaller caller)
    {
        caller.DecidedByHandler();
        return caller.Authority.Key is { IsRoot: true } && caller.Project == await projects.DefaultAsync()
            ? null
            : new Refusal(
                403,
                "Projects are created and listed with the root key of the project default.",
                "root_key_required"
            );
    }

    /// <summary>
    /// Returns the key of the path in the caller's project. A key of another project looks as if it did not exist.
    /// </summary>
    private async ValueTask<KeyRow?> FindAsync(HttpContext http, ProjectCaller caller) =>
        RequestPath.Segment(http, 3) is { } id
        && await store.FindAsync(id) is { RevokedAt: null } row
        && row.Project == caller.Project
            ? row
            : null;

    private static Refusal NotFound => new(404, "There is no such key.", "not_found");

    private void Check(Fields fields, IReadOnlyList<string>? scopes, long? expiresAt)
    {
        if (scopes is not null && ScopeSet.FirstMalformed(scopes) is { } malformed)
            fields.Fault("scopes", $"holds {malformed}, which is not action:type[:id]");
        if (expiresAt <= admin.Now)
            fields.Fault("expiresAt", "must be in the future");
    }
}
