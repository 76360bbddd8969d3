using Postern.Access;
using Postern.Deliveries;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// Completion callbacks: when a run ends, its caller is told at the URL that it named, by a delivery in the transaction
/// of the end. The outcome is shown on the run and in its timeline.
/// </summary>
internal sealed class RunCallbacks(RunStore runs, Outbox outbox, MasterKey master, ServerAddress address)
    : DeliveryPurpose
{
    public const string PurposeName = "callback";

    public override string Name => PurposeName;

    public byte[] Protect(string project, string run, string secret) =>
        master.Protect(secret, SealPurpose(project, run));

    public ValueTask MovedAsync(Tx tx, RunMoved change) =>
        change.Ends && change.After.CallbackUrl is not null ? EnqueueAsync(tx, change.After) : default;

    /// <summary>
    /// The run as it is read, with its output; without large parts when it is too large for a delivery.
    /// </summary>
    private async ValueTask EnqueueAsync(Tx tx, Run run)
    {
        var data = await RunData.AllAsync(tx, run.Project, run.Id);
        var url = $"{address.Url}/api/v1/runs/{run.Id}";
        var body = Outbox.Body(
            "run." + run.Phase,
            tx.Now,
            json =>
            {
                json.WritePropertyName("run");
                RunJson.Write(json, run, data, null);
                json.WriteString("url", url);
            }
        );
        if (body.Length > Outbox.MaxBody)
        {
            body = Outbox.Body(
                "run." + run.Phase,
                tx.Now,
                json =>
                {
                    json.WritePropertyName("run");
                    RunJson.Write(json, run with { Metadata = null, Tags = "[]" }, null, null);
                    json.WriteString("url", url);
                    json.WriteBoolean("thin", true);
                }
            );
        }
        await outbox.EnqueueAsync(
            tx,
            new NewDelivery(
                run.Project,
                PurposeName,
                "url:" + new Uri(run.CallbackUrl!).GetLeftPart(UriPartial.Authority),
                run.Id,
                "run." + run.Phase,
                body,
                tx.Now + Outbox.GiveUpAfter,
                Detail: run.Attempt.ToString(System.Globalization.CultureInfo.InvariantCulture)
            )
        );
    }

    public override async ValueTask<(PreparedDelivery? Request, string? Why)> PrepareAsync(Delivery delivery)
    {
        var target = await runs.FindAsync(delivery.Project, delivery.Subject);
        return target is { CallbackUrl: { } url, CallbackSealed: { } sealedSecret }
            ? (
                new PreparedDelivery(
                    url,
                    [master.Unprotect(sealedSecret, SealPurpose(delivery.Project, delivery.Subject))],
                    delivery.Body
                ),
                null
            )
            : (null, "The run is gone.");
    }

    public override async ValueTask LockAsync(Tx tx, Delivery delivery) =>
        await HeldRun.LockAsync(tx, delivery.Project, delivery.Subject);

    public override ValueTask AttemptedAsync(Tx tx, Delivery delivery, Attempt attempt) =>
        DeliveryTrace.AddAsync(tx, delivery, "callback", accepted: false, attempt.Explanation);

    public override async ValueTask EndedAsync(Tx tx, Delivery delivery, Attempt? attempt, string? reason)
    {
        await RunStore.SetCallbackOutcomeAsync(
            tx,
            delivery.Project,
            delivery.Subject,
            reason is null ? "delivered" : "failed: " + reason
        );
        await DeliveryTrace.AddAsync(tx, delivery, "callback", reason is null, reason);
    }

    private static string SealPurpose(string project, string run) => $"run-callback:{project}:{run}";
}
