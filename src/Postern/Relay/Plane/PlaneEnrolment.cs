using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Joins a relay by a code, makes new keys, and leaves. The code's secret proves each side to the other and is never
/// sent. The code contains the fingerprint of the relay's key, which pins that key.
/// </summary>
internal sealed class PlaneEnrolment(PlaneStore store, Database database, PosternOptions options)
{
    private const string Media = "application/json";

    /// <summary>The retention that is assumed until the relay has sent its own.</summary>
    private const long StandardHeldFor = 72L * 3600 * 1_000_000;

    /// <summary>Joins a relay. The same code again does nothing.</summary>
    /// <exception cref="RelayRefusedException">The code is none, or the relay did not take it.</exception>
    public async Task<JoinedPlane> JoinAsync(string text, string name, CancellationToken cancel)
    {
        if (EnrolmentCode.TryParse(text) is not { } code)
            throw new RelayRefusedException(
                "code",
                "this is no code of a relay: it looks like https://relay.example/#prc_…"
            );
        var joined = await store.ListAsync();
        if (joined.FirstOrDefault(p => p.Code == code.Name) is { } already)
            return already;
        WhyNoMore(joined, null);
        using var http = new RelayHttp(options);
        if (http.WhyNot(code.Url) is { } why)
            throw new RelayRefusedException("tls", why);
        var (sign, open) = (P256Key.Make(), P256Key.Make());
        var join = JoinRelay.Make(code, name, sign, open.Public);
        var url = new Uri(new Uri(code.Url), JoinRelay.Path.TrimStart('/'));
        var body = JsonSerializer.SerializeToUtf8Bytes(join, FrameHead.Json);
        var (status, answer) = await http.SendAsync(HttpMethod.Post, url, body, Media, null, cancel);
        if (status != 201)
            throw Explain(status, answer);
        if (Read(answer) is not { } taken || taken.KeyFor(code, join) is not { } key)
            throw new RelayRefusedException(
                "key",
                "what answered is not the relay that made the code, but something in between. Nothing was joined"
            );
        var plane = new JoinedPlane
        {
            Relay = taken.Relay,
            Plane = taken.Plane,
            Server = code.Url,
            Url = taken.Url,
            Code = code.Name,
            RelayKey = key,
            Standing = JoinedPlane.Joined,
            Sign = sign,
            Open = open,
            JoinedAt = database.Now,
            HeldFor = StandardHeldFor,
            DoorsVersion = 0,
            DoorsDigest = "",
            CheckedSeq = joined.Exists(p => p.Relay == taken.Relay) ? 0 : 1,
        };
        await database.WriteAsync(async tx =>
        {
            // Of two that together would be one too many, one comes first.
            await MetaNumbers.LockAsync(tx, MetaNumbers.AccessVersion);
            WhyNoMore(await store.ListAsync(tx), plane.Relay);
            await store.PutAsync(tx, plane);
            Audit.Write(
                tx,
                new AuditRow(
                    Audit.NoProject,
                    "relay.joined",
                    Actor: plane.Plane,
                    Reason: $"{plane.Relay} {key.Fingerprint}"
                )
            );
            return 0;
        });
        return plane;
    }

    /// <exception cref="RelayRefusedException">As many as may be were joined already.</exception>
    private static void WhyNoMore(List<JoinedPlane> joined, string? anew)
    {
        if (
            joined.Count >= PlaneStore.Most
            && !joined.Exists(p => anew is null ? p.Standing == JoinedPlane.Revoked : p.Relay == anew)
        )
            throw new RelayRefusedException(
                "many",
                $"a server joins at most {PlaneStore.Most} relays: leave one first"
            );
    }

    /// <summary>
    /// Makes new keys. The request is signed by the old key and by the new ones; the relay must accept them first.
    /// </summary>
    public async Task RotateAsync(JoinedPlane plane, CancellationToken cancel)
    {
        var (sign, open) = (P256Key.Make(), P256Key.Make());
        var body = JsonSerializer.SerializeToUtf8Bytes(
            RotatePlaneKeys.Make(plane.Relay, plane.Plane, sign, open.Public),
            FrameHead.Json
        );
        await AskAsync(plane, HttpMethod.Post, RotatePlaneKeys.Path, body, cancel);
        await store.RotateAsync(plane, sign, open);
    }

    /// <summary>Leaves a relay, and tells the relay when it can be reached.</summary>
    /// <returns>Why the relay was not told; null when it was.</returns>
    public async Task<string?> LeaveAsync(JoinedPlane plane, CancellationToken cancel)
    {
        string? why = null;
        try
        {
            await AskAsync(plane, HttpMethod.Delete, "/relay/v1/planes/self", [], cancel);
        }
        catch (RelayRefusedException refused)
        {
            why = refused.Message;
        }
        await store.LeaveAsync(plane.Relay);
        return why;
    }

    private async Task AskAsync(
        JoinedPlane plane,
        HttpMethod method,
        string path,
        byte[] body,
        CancellationToken cancel
    )
    {
        using var http = new RelayHttp(options);
        if (http.WhyNot(plane.Server) is { } why)
            throw new RelayRefusedException("tls", why);
        var clock = new PlaneClock(database);
        for (var tries = 0; ; tries++)
        {
            var target = new HandshakeTarget(method.Method, plane.Relay, path, body);
            var proof = PlaneAuthorization.Make(plane.Sign, plane.Plane, "command", clock.There, target);
            var url = new Uri(new Uri(plane.Server), path.TrimStart('/'));
            var (status, answer) = await http.SendAsync(method, url, body, Media, proof.ToString(), cancel);
            if (status is >= 200 and < 300)
                return;
            if (status != 401)
                throw Explain(status, answer);
            var refused = RelayHttp.Refused(plane, proof, answer);
            if (refused.TimeAtRelay is not { } time || tries > 0)
                throw refused;
            clock.Learn(time);
        }
    }

    private static JoinedRelay? Read(byte[] answer)
    {
        try
        {
            return JsonSerializer.Deserialize<JoinedRelay>(answer, FrameHead.Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static RelayRefusedException Explain(int status, byte[] answer)
    {
        string? code = null;
        try
        {
            using var json = JsonDocument.Parse(answer);
            code = json.RootElement.TryGetProperty("code", out var said) ? said.GetString() : null;
            if (code == "code_used")
                return new(
                    "code_used",
                    $"the code was used already: {Wire.Cut(json.RootElement.GetRawText(), 300)}. Was it not you? Then "
                        + "somebody was faster: revoke that plane at the relay, and ask for another code"
                );
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // This is no answer of a relay; its status says enough.
        }
        return code == "bad_code"
            ? new("bad_code", "the relay does not know this code, or it has expired: ask for another one")
            : new(code ?? "answer", $"the relay answered {status}{(code is null ? "" : " " + code)}");
    }
}
