using System.Buffers;
using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// Writes what must leave the server, in the transaction that causes it: deliveries, and events with a delivery for
/// each subscribed endpoint. So nothing leaves the server before its commit, and nothing committed is lost.
/// </summary>
internal sealed class Outbox
{
    /// <summary>
    /// A larger body is sent without its large parts: ids, and where to fetch the rest. It is never cut.
    /// </summary>
    public const int MaxBody = 256 * 1024;

    /// <summary>
    /// The longest time for which an event or a callback is tried: the schedule with the longest pauses that receivers
    /// may ask for.
    /// </summary>
    public const long GiveUpAfter = 14L * 86_400 * 1_000_000;

    public async ValueTask<string> EnqueueAsync(Tx tx, NewDelivery delivery)
    {
        var id = Id.New(Delivery.Prefix, tx.Now);
        await DeliveryRow.InsertAsync(tx, id, delivery);
        return id;
    }

    /// <summary>
    /// Emits an event: it is listed at <c>/api/v1/events</c> and delivered to the endpoints that subscribe to its type.
    /// </summary>
    /// <param name="tx">The transaction of what happened.</param>
    /// <param name="project">The tenant.</param>
    /// <param name="type">What happened.</param>
    /// <param name="subject">The run's or session's id: its events arrive in order.</param>
    /// <param name="data">Writes the members of <c>data</c>: ids and what is small.</param>
    public async ValueTask EmitAsync(Tx tx, string project, EventType type, string subject, Action<Utf8JsonWriter> data)
    {
        var body = Body(type.Name, tx.Now, data);
        var at = tx.Now;
        var one = new Event(Id.New("evt", at), type.Name, subject, body);
        if (!EventsTogether.Take(tx, project, one))
            EventRow.Insert(tx, project, at, [one]);
        foreach (var (id, ordered) in await WebhookEndpoints.SubscribersAsync(tx, project, type.Name))
            await EnqueueAsync(
                tx,
                new NewDelivery(
                    project,
                    EventPurpose.PurposeName,
                    WebhookEndpoints.KeyOf(id),
                    subject,
                    type.Name,
                    body,
                    tx.Now + GiveUpAfter,
                    Ordered: ordered
                )
            );
    }

    /// <summary><c>{type, timestamp, data}</c>.</summary>
    public static byte[] Body(string type, long at, Action<Utf8JsonWriter> data)
    {
        var body = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(body, Wire.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("type", type);
            json.WriteString("timestamp", Wire.Iso(at));
            json.WriteStartObject("data");
            data(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return body.WrittenSpan.ToArray();
    }
}
