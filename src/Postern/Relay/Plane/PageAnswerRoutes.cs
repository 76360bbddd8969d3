using System.Buffers.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Approvals;
using Postern.Http;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Takes the answers of people that come through a relay. An answer must be sealed with the secret of the question's
/// link; any other answer is refused. The answer decides as the link itself does, and the outcome is sent back sealed.
/// The same answer under another envelope is a repeat, because a question is decided once and each question has its own
/// secret.
/// </summary>
internal sealed class PageAnswerRoutes(
    PageStore pages,
    PageTexts texts,
    ApprovalStore approvals,
    ApprovalDecisions decisions,
    FailedCredentials failed,
    Database database
)
{
    private const int PlaneSegment = 3;
    private const int PageSegment = 4;
    private const int MaxDepth = 8;

    public void Map(Doors doors) =>
        doors
            .Group("/relay/v1/answers/{plane}/{page}", ProblemFormat.Instance)
            .Post("", Credentials.Link, "the question whose link sealed it", Answer)
            .Relayed(RelayClass.Pages)
            .WithSummary("A person's answer, sealed, through a relay")
            .Accepts<PageAnswer>()
            .Produces<SealedOutcome>()
            .Produces<SealedOutcome>(409)
            .Produces<SealedOutcome>(410)
            .Produces(400, 401, 404, 413, 429, 503)
            .Hide();

    private async Task<IResult> Answer(HttpContext http)
    {
        if (!(await Fields.ReadAsync(http, RelayLimits.PageAnswer)).Try(out var fields, out var unreadable))
            return unreadable;
        var given = fields.Read<PageAnswer>();
        if (!PageLink.IsPage(given.Nonce ?? ""))
            fields.Fault("nonce", "must be 22 characters of base64url");
        if (!Base64Url.IsValid(given.Sealed))
            fields.Fault("sealed", "must be base64url");
        if (fields.Refusal() is { } wrong)
            return wrong;
        var plane = RequestPath.Segment(http, PlaneSegment);
        if (await FindAsync(plane, RequestPath.Segment(http, PageSegment)) is not { } approval)
            return new Refusal(404, "There is no such question", "not_found");
        var link = texts.LinkOf(plane!, approval.Project, approval.Id);
        var opened = PageSeal.TryOpen(link, PageSeal.Answer, given.Nonce!, Base64Url.DecodeFromChars(given.Sealed));
        if (opened is null)
            return failed.Refuse(http, "wrong_link", null, NotSealed);
        return Read(http, opened, given.Nonce!, approval).Try(out var decided, out var refusal)
            ? await DecideAsync(plane!, approval, decided, given.Nonce!)
            : refusal;
    }

    /// <summary>Returns the question that has a page at a relay, or null.</summary>
    private async ValueTask<Approval?> FindAsync(string? plane, string? name) =>
        plane is not null && name is not null && PageLink.IsPage(name) && await pages.FindAsync(plane, name) is { } page
            ? await approvals.FindAsync(page.Project, page.Approval)
            : null;

    private async Task<IResult> DecideAsync(string plane, Approval approval, Decided decided, string nonce)
    {
        // A question without a payload has no digest, so a digest must be that of another question.
        var outcome =
            approval.PayloadHash is null && decided.PayloadHash is { Length: > 0 }
                ? new DecideOutcome.OtherPayload()
                : await database.WriteAsync(tx => decisions.DecideAsync(tx, approval.Project, approval.Id, decided));
        if (await approvals.FindAsync(approval.Project, approval.Id) is not { } now)
            return new Refusal(404, "There is no such question", "not_found");
        var status = outcome switch
        {
            DecideOutcome.Processed or DecideOutcome.Already => 200,
            DecideOutcome.Conflict or DecideOutcome.OtherPayload => 409,
            _ => 410,
        };
        return Reply.Json(status, texts.Outcome(plane, now, nonce));
    }

    /// <summary>What the person has answered; the hash is what they were shown.</summary>
    private static Checked<Decided> Read(HttpContext http, byte[] opened, string nonce, Approval approval)
    {
        JsonDocument json;
        try
        {
            json = JsonDocument.Parse(
                opened,
                new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = MaxDepth }
            );
        }
        catch (JsonException)
        {
            return Refusal.BadRequest("What is sealed must be JSON", "invalid_body");
        }
        http.Response.RegisterForDispose(json);
        if (json.RootElement.ValueKind != JsonValueKind.Object)
            return Refusal.BadRequest("What is sealed must be a JSON object", "invalid_body");
        var fields = new Fields(json.RootElement);
        var said = fields.Read<SealedAnswer>();
        if (said.Nonce is { } inside && inside != nonce)
            fields.Fault("nonce", "must be the one outside of the seal");
        var choices = Choice.Of(approval.Options);
        if (said.Option is { } option && !choices.Any(c => c.Value == option))
            fields.Fault("option", "must be one of those offered");
        if (fields.Refusal() is { } wrong)
            return wrong;
        var comment = said.Comment?.ReplaceLineEndings("\n").Trim();
        return new Decided(
            said.Decision,
            "link",
            "link",
            string.IsNullOrEmpty(comment) ? null : comment,
            said.Option is null ? null : JsonSerializer.SerializeToUtf8Bytes(new { option = said.Option }, Wire.Json),
            said.PayloadHash ?? ""
        );
    }

    private static Refusal NotSealed { get; } =
        new(401, "The answer was not sealed by the question's link", "bad_seal") { ShouldRetry = false };
}
