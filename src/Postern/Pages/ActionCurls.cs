using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Access;
using Postern.Agents;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>
/// What the buttons of a page do, as commands for a shell: each under the words of its button, and only those that are
/// drawn.
/// </summary>
internal static class ActionCurls
{
    private const string Nothing = "{}";

    private static readonly JsonSerializerOptions WithoutNulls = new(Wire.Json)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static IReadOnlyList<(string Label, string Command)> Of(PageContext context, RunModel model)
    {
        var run = model.Run;
        var path = "/api/v1/runs/" + run.Id;
        var found = new List<(string, string)>();
        if (model.DispatchToRetry is { } dispatch && context.May("write", "deliveries"))
            found.Add(("Retry the dispatch", Curl.Send("POST", $"/api/v1/deliveries/{dispatch.Id}/retry")));
        if (!context.May("write", "runs", run.Id))
            return found;
        if (model.IsNotStarted)
            found.Add(("Start", Curl.Send("POST", path + "/start", Nothing)));
        if (run is { IsEnded: false, Phase: Phase.Paused })
            found.Add(("Resume", Curl.Send("POST", path + "/resume", Nothing)));
        else if (run.Phase == Phase.Running)
            found.Add(("Pause", Curl.Send("POST", path + "/pause", Nothing)));
        if (model.MayBeRetried)
            found.Add(("Retry", Curl.Send("POST", path + "/retry", "{\"clientRequestId\":\"by-hand-1\"}")));
        if (!run.IsEnded)
            found.Add(("Cancel", Curl.Send("POST", path + "/cancel", Nothing)));
        return found;
    }

    /// <param name="isOpen">It takes messages.</param>
    public static IReadOnlyList<(string Label, string Command)> Of(PageContext context, Session session, bool isOpen)
    {
        var id = Uri.EscapeDataString(session.Id);
        var append = $"/realtime/v1/sessions/{id}/in/append";
        var found = new List<(string, string)>();
        if (isOpen && context.May("write", "sessions", session.Id, session.ExternalId))
        {
            found.Add(("Send", Curl.Send("POST", append, ChatCode.Message(session))));
            found.Add(("Stop the turn", Curl.Send("POST", append, "{\"kind\":\"stop\"}")));
        }
        if (isOpen && context.May("admin", "sessions", session.Id, session.ExternalId))
            found.Add(("Close", Curl.Send("POST", $"/api/v1/sessions/{id}/close", Nothing)));
        return found;
    }

    /// <summary>Of its facts.</summary>
    public static IReadOnlyList<(string Label, string Command)> OfFacts(PageContext context, Session session) =>
        context.May("admin", "sessions", session.Id, session.ExternalId)
            ?
            [
                (
                    "Save",
                    Curl.Send(
                        "PATCH",
                        "/api/v1/sessions/" + Uri.EscapeDataString(session.Id),
                        $"{{\"tags\":{session.Tags},\"metadata\":{session.Metadata ?? "null"}}}"
                    )
                ),
            ]
            : [];

    public static IReadOnlyList<(string Label, string Command)> Of(PageContext context, Trigger trigger)
    {
        var path = "/api/triggers/" + trigger.Name.Path;
        var found = new List<(string, string)>();
        if (trigger is { Mode: Trigger.Scheduled, IsActive: true } && May("trigger"))
            found.Add(("Run now", Curl.Send("POST", path + "/invoke", Nothing)));
        if (!May("write"))
            return found;
        found.Add(
            trigger.IsActive
                ? ("Pause", Curl.Send("PUT", path, "{\"isActive\":false}"))
                : ("Resume", Curl.Send("PUT", path, "{\"isActive\":true}"))
        );
        found.Add(("Delete", Curl.Send("DELETE", path)));
        return found;

        bool May(string action) => context.May(action, "triggers", trigger.Name.Scope);
    }

    public static IReadOnlyList<(string Label, string Command)> Of(PageContext context, Agent agent)
    {
        if (!context.May("admin", "tasks", agent.Slug))
            return [];
        var path = "/api/v1/agents/" + Uri.EscapeDataString(agent.Slug);
        return [("Save", Curl.Send("PUT", path, SettingsOf(agent))), ("Delete", Curl.Send("DELETE", path))];
    }

    private static string SettingsOf(Agent agent)
    {
        var now = agent.Settings;
        var body = new
        {
            kind = agent.Kind,
            url = agent.Url,
            concurrency = now.Concurrency,
            idleSeconds = now.IdleSeconds,
            deadlines = new
            {
                queuedSeconds = now.QueuedSeconds,
                turnSeconds = now.TurnSeconds,
                totalSeconds = now.TotalSeconds,
            },
            retry = new { maxTries = now.MaxTries },
            links = now.Links,
        };
        return JsonSerializer.Serialize(body, WithoutNulls);
    }

    public static IReadOnlyList<(string Label, string Command)> Of(KeyRow key)
    {
        if (key.RevokedAt is not null)
            return [];
        var path = "/api/v1/keys/" + key.Id;
        var found = new List<(string, string)>
        {
            ("Rotate", Curl.Send("POST", path + "/rotate", "{\"overlapSeconds\":86400}")),
        };
        if (key.Kind == "root")
            return found;
        // A key without scopes may do everything: the command then changes its name alone.
        var changed = new { name = key.Name, scopes = key.Scopes.Count > 0 ? key.Scopes : null };
        found.Add(("Save", Curl.Send("PATCH", path, JsonSerializer.Serialize(changed, WithoutNulls))));
        found.Add(("Revoke", Curl.Send("DELETE", path)));
        return found;
    }

    /// <param name="mayReplay">The button is drawn.</param>
    public static IReadOnlyList<(string Label, string Command)> Of(CaptureModel model, bool mayReplay) =>
        mayReplay
            ?
            [
                (
                    "Replay",
                    Curl.Send("POST", $"/api/triggers/{model.Trigger.Name.Path}/requests/{model.Capture.Id}/replay")
                ),
            ]
            : [];

    public static IReadOnlyList<(string Label, string Command)> Of(PageContext context, WebhookEndpoint endpoint)
    {
        if (!context.May("write", "deliveries"))
            return [];
        var path = "/api/v1/webhook-endpoints/" + Uri.EscapeDataString(endpoint.Id);
        var changed = JsonSerializer.Serialize(
            new
            {
                url = endpoint.Url,
                events = endpoint.Events,
                rateLimit = endpoint.RateLimit,
                ordered = endpoint.Ordered,
                enabled = !endpoint.Enabled,
                links = endpoint.Links,
            },
            Wire.Json
        );
        var found = new List<(string, string)>();
        if (endpoint.Enabled)
            found.Add(("Send a test", Curl.Send("POST", path + "/test")));
        found.Add((endpoint.Enabled ? "Disable" : "Enable", Curl.Send("PUT", path, changed)));
        found.Add(("Rotate secret", Curl.Send("POST", path + "/rotate-secret")));
        found.Add(("Delete", Curl.Send("DELETE", path)));
        return found;
    }
}
