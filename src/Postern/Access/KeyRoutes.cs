using Postern.Http;

namespace Postern.Access;

/// <summary>
/// Keys, projects and the audit: what an administrator does, over HTTP. The same is done by <c>postern keys</c> and
/// <c>postern projects</c>.
/// </summary>
internal sealed class KeyRoutes(KeyAdmin admin, KeyStore store, Projects projects, Audit audit)
{
    private const int MaxBody = 64 * 1024;

    public void Map(Doors doors)
    {
        var keys = doors.Group("/api/v1/keys", ProblemFamily.Instance);
        keys.Post("", Opens.Key, Rule.Admin, Create)
            .Says("Create a key")
            .Takes<CreateKey>()
            .Gives<CreatedKey>(201)
            .Gives(400, 401, 403);
        keys.Get("", Opens.Key, Rule.Admin, List)
            .Says("List the keys")
            .Paged()
            .Gives<Page<KeyView>>()
            .Gives(400, 401, 403);
        keys.Post("/{id}/rotate", Opens.Key, Rule.Admin, Rotate)
            .Says("Give a key a new secret; the old one stays valid for an overlap")
            .MayTake<RotateKey>()
            .Gives<RotatedKey>()
            .Gives(400, 401, 403, 404);
        keys.Patch("/{id}", Opens.Key, Rule.Admin, Update)
            .Says("Rename a key, change its scopes or expiry")
            .Takes<UpdateKey>()
            .Gives<KeyView>()
            .Gives(400, 401, 403, 404);
        keys.Delete("/{id}", Opens.Key, Rule.Admin, Revoke).Says("Revoke a key at once").Gives(204, 401, 403, 404, 409);

        var tenants = doors.Group("/api/v1/projects", ProblemFamily.Instance);
        tenants
            .Post("", Opens.Key, "the root key of the project default", CreateProject)
            .Says("Create a project")
            .Takes<CreateProject>()
            .Gives<CreatedProject>(201)
            .Gives(400, 401, 403, 409);
        tenants
            .Get("", Opens.Key, "the root key of the project default", ListProjects)
            .Says("List the projects")
            .Paged()
            .Gives<Page<ProjectView>>()
            .Gives(400, 401, 403);

        doors
            .Group("/api/v1/audit", ProblemFamily.Instance)
            .Get("", Opens.Key, Rule.Admin, ReadAudit)
            .Says("Read the audit, newest first")
            .Paged()
            .Gives<Page<AuditView>>()
            .Gives(400, 401, 403);
    }

    private async Task<IResult> Create(HttpContext http, ProjectCaller caller)
    {
        var (fields, unreadable) = await Fields.ReadAsync(http, MaxBody);
        if (fields is null)
            return unreadable!;
        var asked = fields.Read<CreateKey>();
        var (scopes, expiresAt) = (asked.Scopes ?? [], asked.ExpiresAt);
        Check(fields, scopes, expiresAt);
        if (fields.Refusal() is { } wrong)
            return wrong;
        if (Minting.RefuseScopes(caller, scopes) is { } wider)
            return wider;
        if (Minting.RefuseExpiry(caller, expiresAt) is { } longer)
            return longer;
        var (row, key, full) = await admin.CreateAsync(
            caller.Project,
            asked.Name,
            asked.Kind,
            scopes,
            expiresAt,
            caller.Authority.LoggedActor,
            caller
        );
        if (full is not null)
            return full;
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
        var (page, wrong) = PageQuery.Read(http, 50, 200);
        if (wrong is not null)
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
        var (fields, unreadable) = await Fields.ReadAsync(http, MaxBody, emptyObject: true);
        if (fields is null)
            return unreadable!;
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
        var (fields, unreadable) = await Fields.ReadAsync(http, MaxBody);
        if (fields is null)
            return unreadable!;
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
        var (fields, unreadable) = await Fields.ReadAsync(http, MaxBody);
        if (fields is null)
            return unreadable!;
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
        var (page, wrong) = PageQuery.Read(http, 50, 200);
        if (wrong is not null)
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

    private async Task<IResult> ReadAudit(HttpContext http, ProjectCaller caller)
    {
        var (page, wrong) = PageQuery.Read(http, 50, 200);
        if (wrong is not null)
            return wrong;
        // Refused credentials prove no project; the server's first project reads them.
        var rows = await audit.ListAsync(
            caller.Project,
            caller.Project == await projects.DefaultAsync(),
            page.After,
            page.Limit + 1
        );
        return Reply.Ok(Page.Of(rows, page.Limit, row => row, row => new Cursor(0, row.Id)));
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

    /// <summary>The key of the path in the caller's project; another project's looks like none.</summary>
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
