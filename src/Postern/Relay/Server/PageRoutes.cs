using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>
/// Questions to people: they can be opened and answered here while the server that asks is away. Questions and answers
/// are sealed with the secret of the link, which is never sent here. The page's id alone gives access to nothing but
/// sealed bytes. The server that asks refuses an answer that is not sealed with the secret.
/// </summary>
internal sealed class PageRoutes(ArrivalRates rates, RelayPlaneStore planes, PageStore pages, Arrivals arrivals)
{
    private const string Pages = "/relay/v1/pages";
    private const int WaitMs = 10_000;

    public void Map(Doors doors)
    {
        var page = doors.Group(Pages + "/{plane}/{page}", ProblemFormat.Instance);
        page.Get("", Credentials.Anyone, Show)
            .WithSummary("A question to a person, sealed")
            .Produces<SealedPageView>()
            .Produces(404, 429);
        page.Post("/answers", Credentials.Anyone, Answer)
            .WithSummary("A person's answer, sealed")
            .Accepts<PageAnswer>()
            .Produces<SealedOutcome>()
            .Produces<StoredView>(202)
            .Produces(400, 401, 404, 409, 410, 413, 429, 502, 503);
        doors.Group("/approve", ProblemFormat.Instance).Get("", Credentials.Anyone, _ => File("")).Hide();
        doors.Group("/approve.js", ProblemFormat.Instance).Get("", Credentials.Anyone, _ => File(".js")).Hide();
        doors.Group("/approve.css", ProblemFormat.Instance).Get("", Credentials.Anyone, _ => File(".css")).Hide();
    }

    private async Task<IResult> Show(HttpContext http)
    {
        if (!(await FindAsync(http)).Try(out var found, out var refusal))
            return refusal;
        return Reply.Ok(SealedPageView.Of(found.At.Plane.Plane, found.Page, found.Stored));
    }

    /// <summary>Stores, then waits. Nothing of the request's body is held while it waits.</summary>
    private async Task<IResult> Answer(HttpContext http)
    {
        if ((await StoreAsync(http)).Try(out var taken, out var refusal))
            return await arrivals.AnswerAsync(http, taken);
        RefusalMeter.Request(refusal.Status);
        return refusal;
    }

    private async Task<Checked<StoredArrival>> StoreAsync(HttpContext http)
    {
        if (!(await FindAsync(http)).Try(out var found, out var missing))
            return missing;
        if (RelayedHeaders.HoldBearer(http.Request.Headers))
            return RelayedHeaders.NotRelayed;
        if (!(await Fields.ReadAsync(http, RelayLimits.PageAnswer)).Try(out var fields, out var unreadable))
            return unreadable;
        var answer = fields.Read<PageAnswer>();
        if (!PageLink.IsPage(answer.Nonce ?? ""))
            fields.Fault("nonce", "must be 22 characters of base64url");
        if (!System.Buffers.Text.Base64Url.IsValid(answer.Sealed))
            fields.Fault("sealed", "must be base64url");
        if (fields.Refusal() is { } wrong)
            return wrong;
        // Another person was faster, or the time is over. The sealed page shows how the question ended.
        if (found.Stored.EndedAt is not null)
            return new Refusal(410, "The question has ended: read the page again", "page_ended");
        var (plane, page) = (found.At.Plane.Plane, found.Page);
        var request = new RelayedRequest(
            "POST",
            $"/relay/v1/answers/{plane}/{page}",
            rates.AddressOf(http).ToString(),
            [
                ["Content-Type", "application/json"],
            ],
            JsonSerializer.SerializeToUtf8Bytes(answer, FrameHead.Json)
        );
        return await arrivals.StoreAsync(found.At, $"{Pages}/{plane}/{page}/answers", request);
    }

    /// <summary>
    /// Finds the page of the path. An unknown or removed page looks like that of an unknown or revoked plane.
    /// </summary>
    private async Task<Checked<Found>> FindAsync(HttpContext http)
    {
        // Any origin may serve the script, so pages can be read from every origin. Nobody is signed in here.
        http.Response.Headers.AccessControlAllowOrigin = "*";
        var plane = (string)http.Request.RouteValues["plane"]!;
        var page = (string)http.Request.RouteValues["page"]!;
        var network = rates.NetworkOf(http);
        var (found, isKnown) = await planes.FindAsync(plane, network);
        if (found is not { RevokedAt: null } || !PageLink.IsPage(page))
            return Arrivals.NotFound;
        if (rates.Slower(http, plane, isKnown) is { } slower)
            return slower;
        if (await pages.FindAsync(plane, page) is not { } stored)
            return Arrivals.NotFound;
        var door = new DoorEntry(Pages, DoorEntry.Pages, ["POST"], RelayLimits.PageAnswer, WaitMs, Signed: true);
        return new Found(new ArrivedAt(found, door, network, isKnown), page, stored);
    }

    private static Task<IResult> File(string extension) => Task.FromResult<IResult>(new ApproveFile(extension));

    private sealed record Found(ArrivedAt At, string Page, StoredPage Stored);
}
