using Postern.Access;
using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Relay.Plane;

/// <summary>
/// Makes the list of doors that a relay opens for this server: active triggers whose header is not itself the secret,
/// the signed doors of approval services, and the doors of callbacks. The relay answers 404 for any other path.
/// </summary>
internal sealed class PlaneDoors(
    TriggerStore triggers,
    ApprovalServices services,
    Projects projects,
    PosternOptions options
)
{
    private const int Page = 500;
    private const int CallbackBody = 1024 * 1024;
    private const int WaitMs = 10_000;
    private const int TriggerWaitMs = 8_000;

    /// <summary>Slack gives up after three seconds.</summary>
    private const int SlackWaitMs = 2_500;
    private static readonly string[] Callbacks =
    [
        "/internal/jobs/*/status",
        "/api/v1/internal/jobs/*/status",
        "/api/v1/runs/*/status",
        "/api/callbacks/execution",
    ];

    public async ValueTask<List<DoorEntry>> ListAsync()
    {
        var doors = new List<DoorEntry>();
        var of = options.Relay.Doors.ToHashSet(StringComparer.Ordinal);
        var standard = await projects.DefaultAsync();
        if (of.Contains(RelayClass.Callbacks))
            doors.AddRange(Callbacks.Select(path => Signed(path, RelayClass.Callbacks)));
        if (of.Contains(RelayClass.Approvals))
            foreach (var project in services.Projects.Order(StringComparer.Ordinal))
            {
                const string path = "/api/v1/webhooks/approval-response";
                if (project == standard)
                    doors.Add(Signed(path, RelayClass.Approvals));
                doors.Add(Signed($"{path}/{project}", RelayClass.Approvals));
            }
        if (of.Contains(RelayClass.Inbound))
            await AddTriggersAsync(doors, standard);
        return doors;
    }

    private async ValueTask AddTriggersAsync(List<DoorEntry> doors, string? standard)
    {
        for (var (project, uid) = ("", ""); doors.Count < RelayLimits.Doors; )
        {
            var page = await triggers.WebhooksAsync(project, uid, Page);
            foreach (var trigger in page)
                if (doors.Count < RelayLimits.Doors && triggers.Relayed.WhyNot(trigger) is null)
                    doors.Add(DoorOf(trigger, trigger.Project == standard));
            if (page.Count < Page)
                return;
            (project, uid) = (page[^1].Project, page[^1].Uid);
        }
    }

    private DoorEntry DoorOf(Trigger trigger, bool isDefault)
    {
        var rule = triggers.RuleOf(trigger);
        var isOfKeys = rule?.Secrets is { Count: > 0 } all && all.All(IsPublic);
        return new DoorEntry(
            TriggerView.InboundOf(trigger, isDefault),
            RelayClass.Inbound,
            ["POST", "PUT", "PATCH", "DELETE", .. trigger.Methods],
            InboundRoutes.MaxBody,
            trigger.AuthScheme == "slack" ? SlackWaitMs : TriggerWaitMs,
            rule is { Scheme.Proof: not Proof.Secret },
            isOfKeys && rule!.Header is null ? [.. rule.Secrets] : null
        );
    }

    private static bool IsPublic(string secret) => secret.StartsWith("whpk_", StringComparison.Ordinal);

    private static DoorEntry Signed(string path, string of) => new(path, of, ["POST"], CallbackBody, WaitMs, true);
}
