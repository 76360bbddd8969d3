using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// The routes for approval services, which send decisions from outside. Their secrets are never shown again.
/// </summary>
internal sealed class ApprovalServiceRoutes(ApprovalServices services, AccessWatch watch, Database database)
{
    private const int MaxBody = 16 * 1024;
    private const int NameSegment = 3;

    public void Map(Doors doors)
    {
        var group = doors.Group("/api/v1/approval-services", ApprovalFamily.Instance);
        group
            .Put("/{service}", Credentials.Key, Authorization.Admin, Put)
            .WithSummary("Make or change an approval service: its secrets, how it signs, whose questions it may decide")
            .Accepts<PutApprovalService>()
            .Produces<ApprovalServiceView>()
            .Produces<ApprovalServiceView>(201)
            .Produces(400, 401, 403, 409);
        group
            .Get("", Credentials.Key, Authorization.Admin, List)
            .WithSummary("List the approval services; never their secrets")
            .Produces<Page<ApprovalServiceView>>()
            .Produces(401, 403);
        group
            .Get("/{service}", Credentials.Key, Authorization.Admin, Retrieve)
            .WithSummary("Read an approval service; never its secrets")
            .Produces<ApprovalServiceView>()
            .Produces(401, 403, 404);
        group
            .Delete("/{service}", Credentials.Key, Authorization.Admin, Delete)
            .WithSummary(
                "End an approval service at once: its open questions are decided by keys, by their page, or by the "
                    + "clock"
            )
            .Produces(204, 401, 403, 404);
    }

    private async Task<IResult> Put(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var asked = fields.Read<PutApprovalService>();
        var name = RequestPath.Segment(http, NameSegment) ?? "";
        if (!Slug.IsName(name, ApprovalServices.MaxName))
            fields.Fault(
                "name",
                $"must be 1 to {ApprovalServices.MaxName} letters, digits, dots, underscores and hyphens"
            );
        var (secrets, forms) = (SecretsOf(asked, fields), FormsOf(asked, fields));
        // A key that can verify nothing would make a service that never decides.
        var hasPublicKey = secrets.Exists(s => s.StartsWith("whpk_", StringComparison.Ordinal));
        if (fields.Faults.Count == 0 && hasPublicKey && !forms.Contains(SignatureForm.Standard))
            fields.Fault("secrets", "hold a public key (whpk_), which verifies the scheme standard alone");
        if (fields.Refusal() is { } wrong)
            return wrong;
        var (put, isNew) = await services.PutAsync(
            new ApprovalService(
                caller.Project,
                name,
                secrets,
                [.. forms.Distinct(StringComparer.Ordinal)],
                asked.RequireTimestamp,
                asked.Agents,
                database.Now,
                database.Now
            ),
            caller
        );
        if (!put)
            return new Refusal(
                409,
                $"A project has at most {ApprovalServices.MaxServices} approval services. Delete one first.",
                "too_many_services"
            );
        await watch.RefreshAsync();
        return Reply.Json(isNew ? 201 : 200, ApprovalServiceView.Of(services.Find(caller.Project, name)!));
    }

    /// <summary>The secrets without their line ends.</summary>
    private static List<string> SecretsOf(PutApprovalService asked, Fields fields)
    {
        var secrets = new List<string>();
        if (asked.Secrets is { Count: 0 })
            fields.Fault("secrets", "must hold one or two");
        foreach (var given in asked.Secrets ?? [])
        {
            var (secret, problem) = SecretRule.OfService.Check(given);
            if (problem is not null)
                fields.Fault($"secrets[{secrets.Count}]", problem);
            secrets.Add(secret);
        }
        return secrets;
    }

    private static List<string> FormsOf(PutApprovalService asked, Fields fields)
    {
        var forms = new List<string>();
        foreach (var given in asked.Schemes ?? [.. SignatureForm.All])
        {
            if (SignatureForm.Of(given) is { } form)
                forms.Add(form);
            else
                fields.Fault(
                    "schemes",
                    $"are of {string.Join(", ", SignatureForm.All)} (stripe and github stand for timed and sha256)"
                );
        }
        if (forms.Count == 0 && fields.Faults.Count == 0)
            fields.Fault("schemes", "must hold at least one");
        return forms;
    }

    private Task<IResult> List(HttpContext http, ProjectCaller caller) =>
        Task.FromResult(
            Reply.Ok(
                new Page<ApprovalServiceView>([.. services.Of(caller.Project).Select(ApprovalServiceView.Of)], null)
            )
        );

    private Task<IResult> Retrieve(HttpContext http, ProjectCaller caller) =>
        Task.FromResult(
            services.Find(caller.Project, RequestPath.Segment(http, NameSegment) ?? "") is { } service
                ? Reply.Ok(ApprovalServiceView.Of(service))
                : Unknown
        );

    private async Task<IResult> Delete(HttpContext http, ProjectCaller caller)
    {
        if (!await services.DeleteAsync(caller.Project, RequestPath.Segment(http, NameSegment) ?? "", caller))
            return Unknown;
        await watch.RefreshAsync();
        return Reply.NoContent;
    }

    private static Refusal Unknown => new(404, "There is no such approval service.", "not_found");
}
