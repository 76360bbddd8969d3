using Postern.Http;

namespace Postern.Access;

/// <summary>The routes for the secrets of callbacks: making, listing, ending, rotating.</summary>
internal sealed class CallbackSecretRoutes(CallbackSecrets secrets, AccessWatch watch)
{
    private const int MaxBody = 4096;
    private const int IdSegment = 3;

    public void Map(Doors doors)
    {
        var group = doors.Group("/api/v1/callback-secrets", ProblemFormat.Instance);
        group
            .Post("", Credentials.Key, Authorization.Admin, Create)
            .WithSummary("Make a callback secret; at most two are live, for rotation")
            .MayTake<CreateCallbackSecret>()
            .Produces<CreatedCallbackSecret>(201)
            .Produces(400, 401, 403, 409);
        group
            .Get("", Credentials.Key, Authorization.Admin, List)
            .WithSummary("List the callback secrets; never the secrets themselves")
            .Produces<Page<CallbackSecretView>>()
            .Produces(401, 403);
        group
            .Delete("/{id}", Credentials.Key, Authorization.Admin, Revoke)
            .WithSummary("End a callback secret at once")
            .Produces(204, 401, 403, 404);
        doors
            .Group("/api/v1/callback-token-secrets", ProblemFormat.Instance)
            .Post("/rotate", Credentials.Key, Authorization.Admin, RotateTokenSecret)
            .WithSummary("Make callback tokens from a new secret; those of live runs stay valid")
            .Produces<RotatedTokenSecret>()
            .Produces(401, 403);
    }

    private async Task<IResult> Create(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody, emptyObject: true)).Try(out var fields, out var unreadable))
            return unreadable;
        var given = fields.Read<CreateCallbackSecret>().Secret;
        if (given is not null && !given.All(c => c is > ' ' and < '\u007f'))
            fields.Fault("secret", "must be printable ASCII without spaces: it travels in a header");
        if (fields.Refusal() is { } wrong)
            return wrong;
        var secret = given ?? CallbackSecrets.NewText();
        var (id, taken) = await secrets.CreateAsync(caller.Project, secret, caller);
        if (taken)
            return new Refusal(409, "Choose another secret, or let the server make one.", "secret_refused");
        if (id is null)
            return new Refusal(
                409,
                $"The project has {CallbackSecrets.MaxLive} live secrets. Delete the older one first.",
                "too_many_secrets"
            );
        await watch.RefreshAsync();
        return Reply.Created(new CreatedCallbackSecret(id, secret));
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller) =>
        Reply.Ok(
            new Page<CallbackSecretView>(
                [
                    .. (await secrets.ListAsync(caller.Project)).Select(s => new CallbackSecretView(
                        s.Id,
                        s.CreatedBy,
                        Wire.Iso(s.CreatedAt)
                    )),
                ],
                null
            )
        );

    private async Task<IResult> Revoke(HttpContext http, ProjectCaller caller)
    {
        if (
            RequestPath.Segment(http, IdSegment) is not { } id
            || !await secrets.RevokeAsync(caller.Project, id, caller)
        )
            return new Refusal(404, "There is no such secret.", "not_found");
        await watch.RefreshAsync();
        return Reply.NoContent;
    }

    private async Task<IResult> RotateTokenSecret(HttpContext http, ProjectCaller caller)
    {
        var number = await secrets.RotateTokenSecretAsync(caller.Project, caller);
        await watch.RefreshAsync();
        return Reply.Ok(new RotatedTokenSecret(number));
    }
}
