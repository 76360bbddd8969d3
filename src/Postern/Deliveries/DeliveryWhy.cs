using System.Text;
using Postern.Http;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>Explains why deliveries have not arrived. It only reads, with one statement for a list.</summary>
internal sealed class DeliveryWhy(DeliveryWorker worker)
{
    private const int MostQuoted = 200;

    /// <summary>Returns the explanation, or null when the delivery has ended.</summary>
    public async ValueTask<Why?> OfAsync(Tx tx, Delivery delivery) =>
        (await OfAllAsync(tx, [delivery])).GetValueOrDefault(delivery.Id);

    /// <summary>
    /// Returns the explanations for the pending ones of some deliveries of one project, by their ids.
    /// </summary>
    public async ValueTask<IReadOnlyDictionary<string, Why>> OfAllAsync(Tx tx, IReadOnlyList<Delivery> deliveries)
    {
        var whys = new Dictionary<string, Why>(StringComparer.Ordinal);
        var pending = deliveries.Where(d => d.Status == Delivery.Pending).ToList();
        if (pending.Count == 0)
            return whys;
        var tried = pending.Where(d => d.Attempts > 0).Select(d => d.Id).ToList();
        var last = await DeliveryQueries.LastAttemptsAsync(tx, pending[0].Project, tried);
        foreach (var delivery in pending)
            whys[delivery.Id] = Of(delivery, last.GetValueOrDefault(delivery.Id));
        return whys;
    }

    private Why Of(Delivery delivery, Attempt? last)
    {
        var to = WebhookEndpoints.Shown(delivery.Endpoint);
        if (delivery.DueAt is not { } due)
            return Make(
                delivery,
                Why.BehindDelivery,
                $"It waits until what was made before it about {delivery.Subject} has arrived at {to}, or is given up",
                WhyNext.End,
                delivery.GiveUpAt
            );
        var paused = worker.PausedUntil(delivery.Project, delivery.Endpoint);
        var next = paused is { } until ? Math.Max(until, due) : due;
        if (last is not null)
            return Make(
                delivery,
                Why.DeliveryRetry,
                $"{to} {Said(last)}; tried {Times(delivery)}, given up at {Wire.Iso(delivery.GiveUpAt)}",
                WhyNext.Try,
                next
            );
        return paused is null
            ? Make(delivery, Why.AwaitingSend, $"It is about to be sent to {to}", WhyNext.Try, next)
            : Make(
                delivery,
                Why.DeliveryPaused,
                $"{to} failed one time after another: nothing is sent to it until {Wire.Iso(paused.Value)}",
                WhyNext.Try,
                next
            );
    }

    public static string Times(Delivery delivery) => delivery.Attempts == 1 ? "once" : $"{delivery.Attempts} times";

    /// <summary>Returns the beginning of the answer, in quotes: about its first line.</summary>
    public static string Said(Attempt attempt)
    {
        if (attempt.Status is not { } status)
            return attempt.Explanation;
        var text = new StringBuilder();
        foreach (var rune in (attempt.Response ?? "").Trim().EnumerateRunes())
        {
            if (text.Length >= MostQuoted)
            {
                text.Append('…');
                break;
            }
            text.Append(Rune.IsControl(rune) || rune.Value == '"' ? " " : rune.ToString());
        }
        return text.Length == 0 ? $"answered {status}" : $"answered {status} \"{text}\"";
    }

    private static Why Make(Delivery delivery, string code, string text, string what, long at) =>
        new(code, text + ".", Wire.Iso(delivery.CreatedAt), new WhyNext(what, Wire.Iso(at)));
}
