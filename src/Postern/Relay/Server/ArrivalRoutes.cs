using System.Buffers.Text;
using Microsoft.AspNetCore.Http.Features;
using Postern.Access;
using Postern.Approvals;
using Postern.Http;
using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Relay.Server;

/// <summary>
/// The doors of planes, as everybody reaches them. A door that its plane has not listed gets a 404 with the same bytes
/// as a plane that does not exist. A request for a listed door is first stored, then offered to the plane; then its
/// caller waits for the answer.
/// </summary>
internal sealed class ArrivalRoutes(
    ArrivalRates rates,
    RelayPlaneStore planes,
    DoorLists lists,
    EnvelopeStore envelopes,
    EnvelopeWaiters waiters,
    Arrivals arrivals,
    PosternOptions options
)
{
    private const string Prefix = "/p/";
    private const int ReceiptLength = 43;

    private long Retention => options.RelayServer.RetentionHours * 3_600_000_000L;

    public void Map(Doors doors)
    {
        doors
            .Group("/p/{plane}", ProblemFormat.Instance)
            .Any("/{**target}", Credentials.Anyone, Authorization.None, TakeAsync)
            .WithSummary("A door of a plane")
            .Produces<StoredView>(202)
            .Produces(400, 401, 404, 405, 413, 429, 502, 503);
        doors
            .Group("/relay/v1/receipts/{token}", ProblemFormat.Instance)
            .Get("", Credentials.Receipt, "the token in the path", Receipt)
            .WithSummary("What became of a stored request")
            .Query("wait", "How many seconds to wait for the answer.", 0, 55, 0)
            .Produces<ReceiptView>()
            .Produces(400, 404);
    }

    /// <summary>Stores, then waits. Nothing of the request's body is held while it waits.</summary>
    private async Task<IResult> TakeAsync(HttpContext http)
    {
        if ((await StoreAsync(http)).Try(out var taken, out var refusal))
            return await arrivals.AnswerAsync(http, taken);
        RefusalMeter.Request(refusal.Status);
        return refusal;
    }

    private async Task<Checked<StoredArrival>> StoreAsync(HttpContext http)
    {
        var plane = (string)http.Request.RouteValues["plane"]!;
        var target = TargetOf(http, plane);
        if (!target.StartsWith('/'))
            return Arrivals.NotFound;
        // Uses the error format that the plane uses at that path, whether or not the plane exists.
        var path = target.Split('?')[0];
        ErrorFormat.SetByPath(http, path, TriggerFamily.Instance, ApprovalFamily.Instance);
        if (!(await FindAsync(http, plane, target)).Try(out var at, out var closed))
            return closed;
        return (await ReadAsync(http, at, target)).Try(out var request, out var refused)
            ? await arrivals.StoreAsync(at, Prefix + at.Plane.Plane + path, request)
            : refused;
    }

    /// <summary>
    /// Returns the part of the path behind the plane's name, as it was sent; empty when there is none.
    /// </summary>
    private static string TargetOf(HttpContext http, string plane)
    {
        var raw = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var end = Prefix.Length + plane.Length;
        return raw.Length > end && raw.AsSpan(Prefix.Length).StartsWith(plane, StringComparison.Ordinal)
            ? raw[end..]
            : "";
    }

    /// <summary>Returns the plane's door for a request, when the request may be sent there now.</summary>
    private async Task<Checked<ArrivedAt>> FindAsync(HttpContext http, string plane, string target)
    {
        var network = rates.NetworkOf(http);
        var (found, isKnown) = await planes.FindAsync(plane, network);
        if (found is not { RevokedAt: null } || (await lists.OfAsync(found)).Find(target) is not { } door)
            return Arrivals.NotFound;
        if (!door.Methods.Contains(http.Request.Method))
            return new Refusal(405, "Method not allowed", "method_not_allowed")
            {
                Allow = string.Join(", ", door.Methods),
            };
        if (RelayedHeaders.HoldBearer(http.Request.Headers))
            return RelayedHeaders.NotRelayed;
        return rates.Slower(http, plane, isKnown) is { } slower ? slower : new ArrivedAt(found, door, network, isKnown);
    }

    /// <summary>Returns the request with its body, when it can be relayed.</summary>
    private async Task<Checked<RelayedRequest>> ReadAsync(HttpContext http, ArrivedAt at, string target)
    {
        if (!(await RequestBody.ReadAsync(http, at.Door.MaxBody)).Try(out var body, out var tooLarge))
            return tooLarge;
        byte[] bytes;
        using (body)
            bytes = body.Bytes.ToArray();
        if (at.Door.Verify is { } keys && !IsByOne(keys, http.Request.Headers, bytes))
            return new Refusal(401, "Unauthorized", "unauthorized") { ShouldRetry = false };
        var request = new RelayedRequest(
            http.Request.Method,
            target,
            rates.AddressOf(http).ToString(),
            RelayedHeaders.Of(http.Request.Headers, options.Operators.IdentityHeader),
            bytes
        );
        return request.IsSound ? request : Refusal.BadRequest("The request holds control characters", "bad_request");
    }

    private async Task<IResult> Receipt(HttpContext http)
    {
        http.Response.Headers.AccessControlAllowOrigin = "*";
        var seconds = 0;
        if (
            http.Request.Query.TryGetValue("wait", out var asked)
            && (
                !int.TryParse(asked, System.Globalization.NumberStyles.None, null, out seconds)
                || seconds is < 0 or > 55
            )
        )
            return Refusal.BadRequest("wait must be a whole number from 0 to 55", "invalid_wait");
        var token = (string)http.Request.RouteValues["token"]!;
        if (token.Length != ReceiptLength || !Base64Url.IsValid(token))
            return ReceiptMissing;
        if (
            await envelopes.FindAsync(Arrivals.DigestOf(token)) is not { } envelope
            || await envelopes.AnswerAsync(envelope.Plane, envelope.Seq) is not { } answer
            || answer.EndedAt + Retention < planes.Now
        )
            return ReceiptMissing;
        var time = TimeSpan.FromSeconds(seconds);
        if (answer.State == EnvelopeState.Stored)
            answer =
                await waiters.FollowAsync(envelope.Plane, envelope.Seq, answer.Id, time, http.RequestAborted) ?? answer;
        return Reply.Ok(ReceiptView.Of(answer));
    }

    private static Refusal ReceiptMissing { get; } =
        new(404, "There is no such receipt, or its time is over.", "not_found");

    /// <summary>
    /// Returns whether one of the public keys signed it. A request that cannot be valid is refused before it takes a
    /// place in the backlog.
    /// </summary>
    private bool IsByOne(IReadOnlyList<string> keys, IHeaderDictionary headers, ReadOnlySpan<byte> body)
    {
        var service = new ApprovalService("-", "-", [.. keys], [SignatureForm.Standard], false, null, 0, 0);
        return Signatures.IsBy(service, Signatures.FormsOf(headers), headers, body, planes.Now);
    }
}
