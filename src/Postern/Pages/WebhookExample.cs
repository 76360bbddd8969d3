using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Http;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>
/// A typical message of each sender that can open a trigger, with enough of a body to try a template and a filter. The
/// id of the message is new each time, so that it is no repeat.
/// </summary>
/// <param name="Body">A JSON text.</param>
/// <param name="Headers">Beside the signature and the content type.</param>
internal sealed record WebhookExample(string Body, IReadOnlyList<(string Name, string Value)> Headers)
{
    private static readonly JsonSerializerOptions Indented = new(Wire.Json) { WriteIndented = true };

    /// <summary>The parts of an example: JSON, and headers with <c>{id}</c> for what names the message.</summary>
    private static readonly Dictionary<string, (string Body, (string, string)[] Headers)> ByScheme = new(
        StringComparer.Ordinal
    )
    {
        ["github"] = (
            """
            {"action":"opened","issue":{"number":17,"title":"The door sticks","body":"Since this morning."},
             "repository":{"full_name":"ada/house"},"sender":{"login":"ada"}}
            """,
            [("X-GitHub-Event", "issues"), ("X-GitHub-Delivery", "{id}")]
        ),
        ["stripe"] = (
            """
            {"id":"evt_{id}","type":"invoice.paid","data":{"object":{"id":"in_17","customer":"cus_17",
             "amount_paid":1700}}}
            """,
            []
        ),
        ["slack"] = (
            """
            {"type":"event_callback","event_id":"Ev{id}","team_id":"T1","event":{"type":"app_mention","user":"U2",
             "text":"<@U1> the door sticks","channel":"C1","ts":"1700000000.000100"}}
            """,
            []
        ),
        ["gitlab"] = (
            """
            {"object_kind":"issue","user":{"username":"ada"},"project":{"path_with_namespace":"ada/house"},
             "object_attributes":{"iid":17,"title":"The door sticks","action":"open"}}
            """,
            [("X-Gitlab-Event", "Issue Hook"), ("X-Gitlab-Webhook-UUID", "{id}")]
        ),
        ["shopify"] = (
            """
            {"id":17,"email":"ada@example.com","total_price":"17.00","line_items":[{"title":"Door","quantity":1}]}
            """,
            [("X-Shopify-Topic", "orders/create"), ("X-Shopify-Webhook-Id", "{id}")]
        ),
        ["linear"] = (
            """
            {"action":"create","type":"Issue","data":{"identifier":"HOU-17","title":"The door sticks"}}
            """,
            [("Linear-Event", "Issue"), ("Linear-Delivery", "{id}")]
        ),
        ["pagerduty"] = (
            """
            {"event":{"id":"{id}","event_type":"incident.triggered","data":{"id":"P17","title":"The door sticks",
             "urgency":"high"}}}
            """,
            []
        ),
        ["typeform"] = (
            """
            {"event_id":"{id}","event_type":"form_response","form_response":{"form_id":"f17","answers":[
             {"type":"text","text":"The door sticks","field":{"ref":"what"}}]}}
            """,
            []
        ),
        ["sentry"] = (
            """
            {"action":"created","data":{"issue":{"id":"17","title":"TypeError: door is undefined","level":"error"}}}
            """,
            [("Sentry-Hook-Resource", "issue")]
        ),
        ["zoom"] = (
            """
            {"event":"meeting.ended","payload":{"object":{"id":"17","topic":"The door"}},"event_ts":1700000000000}
            """,
            []
        ),
    };

    private const string Plain = """{"type":"door.stuck","data":{"number":17,"title":"The door sticks"}}""";

    /// <param name="scheme">How the trigger is opened; null: by nothing.</param>
    /// <param name="id">Names the message: letters, digits and hyphens.</param>
    public static WebhookExample Of(string? scheme, string id)
    {
        var (text, headers) = ByScheme.GetValueOrDefault(scheme ?? "", (Plain, []));
        var body = JsonNode.Parse(Named(text))!.AsObject();
        // The same message again would be a repeat, so this one gets a new id.
        body["postern_test"] = id;
        return new WebhookExample(body.ToJsonString(Indented), [.. headers.Select(h => (h.Item1, Named(h.Item2)))]);

        string Named(string part) => part.Replace("{id}", id, StringComparison.Ordinal);
    }

    /// <summary>Makes an example from a captured request. Redacted values are left out.</summary>
    public static WebhookExample Of(Capture capture)
    {
        var incoming = InboundRequest.Of(capture, capture.Source);
        using var body = InboundBody.OfCaptured(incoming, InboundRoutes.MaxBody);
        return new WebhookExample(
            body.Text,
            [
                .. incoming
                    .Headers.Where(h => h.Value != Redaction.Redacted && TestHeaders.MaySend(h.Key))
                    .OrderBy(h => h.Key, StringComparer.Ordinal)
                    .Take(TestHeaders.Most)
                    .Select(h => (h.Key, h.Value)),
            ]
        );
    }
}
