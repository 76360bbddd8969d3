using Postern.Access;
using Postern.Http;
using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// Makes codes, and lets planes join with them. A code's secret is derived from its name and the master key, so nothing
/// that is stored lets anybody join. A client that can prove the secret of a used code is told that it was used.
/// Everybody else gets the same answer for unknown, wrong and expired codes.
/// </summary>
internal sealed class Enrolments(
    Database database,
    RelayIdentity identity,
    MasterKey master,
    ServerAddress address,
    EnvelopeStore envelopes,
    PosternOptions options
)
{
    private const string Columns = "code, name, plane, envelopes, bytes, until, used_at, used_name";

    public static Refusal BadCode { get; } =
        new(401, "The code is unknown, wrong or expired. Ask for a new one: postern relay enrol NAME", "bad_code");

    /// <summary>Makes a code. Refuses when its plane does not exist.</summary>
    /// <param name="made">What is asked for.</param>
    /// <param name="audited">Its row of the audit, but for what it names.</param>
    public async Task<Checked<EnrolmentCode>> MakeAsync(NewCode made, AuditRow audited)
    {
        var keys = await identity.KeysAsync();
        var server = options.RelayServer;
        var code = await database.WriteAsync(async tx =>
        {
            if (made.Plane is { } plane && await RelayPlaneStore.FindAsync(tx, plane) is not { RevokedAt: null })
                return null;
            var id = Id.New("prc", tx.Now);
            await tx.ExecuteAsync(
                """
                INSERT INTO relay_code (code, name, plane, envelopes, bytes, created_at, until)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                """,
                id,
                made.Name,
                made.Plane,
                made.Envelopes ?? server.Envelopes,
                made.Bytes ?? server.Bytes,
                tx.Now,
                tx.Now + Wire.Microseconds(made.ValidFor)
            );
            Audit.Write(tx, audited with { Action = "relay.code.created", Reason = id });
            return id;
        });
        if (code is null)
            return PlaneMissing;
        return new EnrolmentCode(
            address.Url + "/",
            code[(code.IndexOf('_', StringComparison.Ordinal) + 1)..],
            SecretOf(code),
            keys.Current.Public.Fingerprint
        );
    }

    public static Refusal PlaneMissing { get; } = new(404, "There is no such plane.", "not_found");

    /// <summary>Lets a plane join, or gives an existing one its new keys.</summary>
    /// <param name="join">The request, whose form is checked.</param>
    /// <param name="audited">Its row of the audit, but for what it names.</param>
    public async Task<Checked<JoinedRelay>> JoinAsync(JoinRelay join, AuditRow audited)
    {
        var keys = await identity.KeysAsync();
        var secret = SecretOf(join.Code);
        // The plane has the fingerprint of the key that was current when the code was made.
        var isProven = keys.All.Any(k =>
            EnrolmentProof.IsSame(join.Proof, EnrolmentProof.OfPlane(secret, k.Fingerprint, join))
        );
        if (!isProven || P256PublicKey.TryParse(join.Sign) is not { } sign || !join.IsSignedBy(sign))
            return BadCode;
        var outcome = await database.WriteAsync(tx => JoinAsync(tx, join, audited));
        if (!outcome.Try(out var plane, out var refusal))
            return refusal;
        // Envelopes that are sealed to lost keys are of no use to anybody.
        if (plane.Below > 0)
            await envelopes.DeleteAsync(plane.Plane, plane.Below);
        var key = keys.Current.Public.Text;
        return new JoinedRelay(
            plane.Plane,
            keys.Relay,
            key,
            UrlOf(plane.Plane),
            EnrolmentProof.OfRelay(secret, plane.Plane, key, join)
        );
    }

    public string UrlOf(string plane) => $"{address.Url}/p/{plane}";

    private static async ValueTask<Checked<Joined>> JoinAsync(Tx tx, JoinRelay join, AuditRow audited)
    {
        var code = await tx.FirstAsync(
            $"SELECT {Columns} FROM relay_code WHERE code = $1{tx.ForUpdate}",
            r => new RelayCode(
                r.GetString(0),
                r.GetString(1),
                r.TextOrNull(2),
                r.GetInt64(3),
                r.GetInt64(4),
                r.GetInt64(5),
                r.LongOrNull(6),
                r.TextOrNull(7)
            ),
            join.Code
        );
        if (code is null)
            return BadCode;
        if (code.UsedAt is { } at)
            return new Refusal(
                409,
                "The code was used already. If it was not you, revoke the plane: postern relay planes",
                "code_used"
            )
            {
                Extra = [("at", Wire.Iso(at)), ("name", code.UsedName)],
            };
        if (code.Until <= tx.Now)
            return BadCode;
        var plane = code.Plane;
        var below = 0L;
        if (plane is null)
        {
            plane = Id.New("pln", tx.Now);
            await RelayPlaneStore.InsertAsync(tx, plane, join, code);
        }
        else
        {
            if (await RelayPlaneStore.LockAsync(tx, plane) is not { RevokedAt: null } known)
                return BadCode;
            await RelayPlaneStore.SetKeysAsync(tx, known, join.Sign, join.Open, isLost: true);
            await ConnectionStore.RemoveAllAsync(tx, plane);
            below = known.NextSeq;
        }
        await tx.ExecuteAsync(
            "UPDATE relay_code SET used_at = $2, used_name = $3, used_plane = $4 WHERE code = $1",
            code.Code,
            tx.Now,
            join.Name,
            plane
        );
        tx.Notify(RelayTopics.OfConnections(plane));
        Audit.Write(
            tx,
            audited with
            {
                Action = code.Plane is null ? "relay.plane.enrolled" : "relay.plane.enrolled_again",
                Actor = plane,
                Reason = code.Code,
            }
        );
        return new Joined(plane, below);
    }

    private string SecretOf(string code) => Convert.ToHexStringLower(master.DigestOf(code, "relay enrolment code"));

    /// <param name="Below">Envelopes with a lower number are sealed to keys that were lost.</param>
    private sealed record Joined(string Plane, long Below);
}
