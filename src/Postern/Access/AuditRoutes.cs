using Postern.Http;

namespace Postern.Access;

/// <summary>The audit over HTTP: what was refused and who changed what, newest first.</summary>
internal sealed class AuditRoutes(AuditStore store)
{
    public void Map(Doors doors) =>
        doors
            .Group("/api/v1/audit", ProblemFormat.Instance)
            .Get("", Credentials.Key, Authorization.Admin, Read)
            .WithSummary("Read the audit, newest first")
            .Query("id", "One row: the X-Refusal-Id of a refused request")
            .Query("action", "Such as credential.refused, scope.refused, inbound.refused, key.revoked")
            .Query("credential", "The kind of credential")
            .Query("actor", "A key's id, or the digest of a chosen name")
            .Query("route", "Method and pattern, as in the door table: GET /api/v1/runs/{run}")
            .Query("reason", "Such as wrong_signature, revoked_key, or what was changed")
            .Query("address", "From where")
            .Query("trigger", "Refused at this trigger: user/{owner}/{id} or org/{owner}/{id}")
            .Query("at", "from..to, ISO 8601, either may be left out")
            .Paged()
            .Produces<Page<AuditView>>()
            .Produces(400, 401, 403);

    private async Task<IResult> Read(HttpContext http, ProjectCaller caller)
    {
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        if (!AuditQuery.Read(http.Request.Query).Try(out var filter, out var unreadable))
            return unreadable;
        if (http.Request.Query["id"] is { Count: > 0 } ids)
        {
            if (ids.Count > 1 || !AuditStore.IsId(ids.ToString()))
                return Refusal.BadRequest("id must be one id of a row: aud_ and 26 letters.", "invalid_filter");
            var one = await store.FindAsync(caller.Project, ids.ToString());
            return Reply.Ok(new Page<AuditView>(one is null ? [] : [one.View], null));
        }
        var found = await store.ListAsync(caller.Project, filter, page.After?.Id, page.Limit, http.RequestAborted);
        return Reply.Ok(Page.Of(found, row => row.View));
    }
}
