using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Postern.Http;
using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Triggers;

namespace Postern.Relay.Server;

/// <summary>
/// Handles a request to a plane, on whatever route it came. The request is stored, then its answer is awaited. The
/// sender gets the plane's answer, or a receipt.
/// </summary>
internal sealed class Arrivals(
    ArrivalRates rates,
    RelayPlaneStore planes,
    EnvelopeStore envelopes,
    EnvelopeWaiters waiters,
    ServerAddress address,
    PosternOptions options
)
{
    private const int FullRetrySeconds = 60;

    private long Retention => options.RelayServer.RetentionHours * 3_600_000_000L;

    public static Refusal NotFound { get; } = new(404, "Not found", "not_found");

    public static byte[] DigestOf(string token) => SHA256.HashData(Encoding.ASCII.GetBytes(token));

    /// <summary>Stores a request.</summary>
    /// <param name="at">Whose it is, and where it came from.</param>
    /// <param name="path">As the sender called it, behind the relay's address.</param>
    /// <param name="request">What the plane gets.</param>
    public async Task<Checked<StoredArrival>> StoreAsync(ArrivedAt at, string path, RelayedRequest request)
    {
        var token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        var envelope = new NewEnvelope(
            at.Plane.Plane,
            request,
            at.Door,
            address.Url + path,
            at.Network,
            at.IsKnown,
            DigestOf(token)
        )
        {
            OpenKey = at.Plane.OpenKey,
        };
        return await envelopes.StoreAsync(envelope, Retention) switch
        {
            StoreOutcome.Stored stored => new StoredArrival(at, stored, token),
            StoreOutcome.Full => new Refusal(503, "The plane has too much waiting for it here", "relay_full")
            {
                RetryAfterSeconds = FullRetrySeconds,
            },
            _ => NotFound,
        };
    }

    /// <summary>
    /// Waits for the plane's answer for as long as the door says. After that, a receipt is the answer.
    /// </summary>
    public async Task<IResult> AnswerAsync(HttpContext http, StoredArrival taken)
    {
        RelayMeter.Stored();
        var (at, stored) = (taken.At, taken.Stored);
        var headers = http.Response.Headers;
        headers["Postern-Envelope"] = stored.Id;
        headers["Postern-Receipt"] = stored.Receipt;
        var wanted = Preference.Of(http.Request.Headers["Prefer"], TimeSpan.FromMilliseconds(at.Door.WaitMs));
        if (wanted.Applied is not null)
            headers["Preference-Applied"] = wanted.Applied;
        var answer = at.Plane.IsHeld(planes.Now)
            ? await waiters.WaitAsync(at.Plane.Plane, stored.Seq, stored.Id, wanted.Wait, http.RequestAborted)
            : null;
        if (answer is { IsAnswered: true })
        {
            if (answer.Status == StatusCodes.Status401Unauthorized)
                rates.Failed(http, at.Plane.Plane, at.IsKnown);
            return new RelayedAnswer(answer);
        }
        var receipt = $"{address.Url}/relay/v1/receipts/{taken.Token}";
        headers.Location = receipt;
        return ErrorFormat.Of(http) is TriggerFamily
            ? TriggerFamily.Ok(202, new StoredData("Stored", stored.Id, receipt))
            : Reply.Json(202, new StoredView("stored", stored.Id, receipt));
    }
}
