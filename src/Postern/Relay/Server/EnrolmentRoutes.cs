using Postern.Access;
using Postern.Http;
using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>
/// The routes by which planes join, and the public keys with which everybody can check what this relay has signed.
/// </summary>
internal sealed class EnrolmentRoutes(
    Enrolments enrolments,
    RelayIdentity identity,
    SenderGate gate,
    CredentialReader credentials,
    Projects projects
)
{
    private const int MaxBody = 8 * 1024;

    public void Map(Doors doors)
    {
        var relay = doors.Group("", ProblemFormat.Instance);
        relay
            .Post(JoinRelay.Path, Credentials.Code, "the code's proof", Join)
            .WithSummary("A plane joins by a code")
            .Accepts<JoinRelay>()
            .Produces<JoinedRelay>(201)
            .Produces(400, 401, 409, 413, 429);
        relay
            .Get("/relay/v1/key", Credentials.Anyone, Key)
            .WithSummary("The public keys of this relay, as a JWK set")
            .Produces<JwkSet>()
            .Produces(400);
    }

    private async Task<IResult> Join(HttpContext http)
    {
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var join = fields.Read<JoinRelay>();
        if (fields.Refusal() is { } wrong)
            return wrong;
        if (join.Name.Any(char.IsControl) || !PlaneAuthorization.IsNonce(join.Nonce))
            return Refusal.BadRequest(
                "name must have no control characters, nonce be 16 bytes in base64url",
                "invalid_body"
            );
        if (P256PublicKey.TryParse(join.Sign) is null || P256PublicKey.TryParse(join.Open) is null)
            return Refusal.BadRequest("sign and open must be points of P-256 in base64url", "invalid_body");
        var audited = new AuditRow(
            await projects.DefaultAsync() ?? Audit.NoProject,
            "",
            "code",
            Address: credentials.AddressOf(http)
        );
        var joined = await enrolments.JoinAsync(join, audited);
        if (joined.Try(out var answer, out var refusal))
            return Reply.Created(answer);
        return refusal.Status == StatusCodes.Status401Unauthorized
            ? gate.Refuse(http, refusal.Code!, refusal)
            : refusal;
    }

    private async Task<IResult> Key(HttpContext http)
    {
        http.Response.Headers.AccessControlAllowOrigin = "*";
        var keys = await identity.KeysAsync();
        return Reply.Ok(new JwkSet([.. keys.All.Select(Jwk.Of)]));
    }
}
