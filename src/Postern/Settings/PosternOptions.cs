using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

/// <summary>
/// All settings, bound once at start from <c>postern.json</c> and the environment. Every one has bounds; all faults are reported
/// together. The descriptions are the text of <c>docs/configuration.md</c>. An unsafe setting begins with <c>Dangerous</c>.
/// </summary>
internal sealed class PosternOptions
{
    [Description("Slug of the agent that a bare session key means.")]
    [RegularExpression("^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", ErrorMessage = "must be an agent's slug")]
    public string DefaultAgent { get; set; } = "echo";

    [Description("Where clients reach this server, for links that it hands out, such as https://agents.example.com. Empty: the address it listens on.")]
    [RegularExpression("^(https?://[^/?#]+)?$", ErrorMessage = "must be http(s)://host[:port] without a path")]
    public string PublicUrl { get; set; } = "";

    public RateLimitOptions RateLimits { get; set; } = new();

    public OperatorOptions Operators { get; set; } = new();

    public RunOptions Runs { get; set; } = new();

    public ApprovalOptions Approvals { get; set; } = new();

    public OutboundOptions Outbound { get; set; } = new();

    public DeliveryOptions Deliveries { get; set; } = new();

    public QuotaOptions Quotas { get; set; } = new();

    public RetentionOptions Retention { get; set; } = new();

    public TelemetryOptions Telemetry { get; set; } = new();

    public LogOptions Log { get; set; } = new();
}

internal sealed class RateLimitOptions
{
    [Description("Requests that a project may send at once before it is slowed down. 0 switches the limit off.")]
    [Range(0, 10_000_000)]
    public int ProjectBurst { get; set; } = 10_000;

    [Description("Requests a second that a project may send for ever. 0 switches the limit off.")]
    [Range(0, 10_000_000)]
    public int ProjectPerSecond { get; set; } = 2_000;

    [Description("Requests that one token may send at once before it is slowed down. 0 switches the limit off.")]
    [Range(0, 10_000_000)]
    public int TokenBurst { get; set; } = 200;

    [Description("Requests a second that one token may send for ever. 0 switches the limit off.")]
    [Range(0, 10_000_000)]
    public int TokenPerSecond { get; set; } = 20;

    [Description("Callbacks and signed requests that a project may be sent at once before they are slowed down: a budget of their own. 0 switches the limit off.")]
    [Range(0, 10_000_000)]
    public int CallbackBurst { get; set; } = 10_000;

    [Description("Callbacks and signed requests a second that a project may be sent for ever. 0 switches the limit off.")]
    [Range(0, 10_000_000)]
    public int CallbackPerSecond { get; set; } = 2_000;

    [Description("Refused credentials a minute from one address before the rest are answered 429; ten times as many from loopback. A correct credential is never refused by it. 0 switches the limit off.")]
    [Range(0, 1_000_000)]
    public int FailuresPerMinute { get; set; } = 10;
}

internal sealed class OperatorOptions
{
    [Description("Networks (CIDR) of proxies whose identity header is believed, such as 10.0.0.0/8.")]
    [Networks]
    public string[] TrustedProxies { get; set; } = [];

    [Description("Header in which a trusted proxy names the person.")]
    [RegularExpression("^[A-Za-z0-9-]{1,64}$", ErrorMessage = "must be a header's name")]
    public string IdentityHeader { get; set; } = "X-Forwarded-User";

    [Description("Scopes of an identity, by its name: `Postern:Operators:Roles:ada` = `operator.admin`. Others have operator.read.")]
    public Dictionary<string, string> Roles { get; set; } = new(StringComparer.Ordinal);
}

internal sealed class RunOptions
{
    [Description("Seconds that a run stays for the next message after a turn, unless its session or agent says otherwise.")]
    [Range(1, 3600)]
    public int IdleSeconds { get; set; } = 30;

    [Description("Seconds that a run may wait to be taken on by its agent.")]
    [Range(1, 604_800)]
    public int QueuedSeconds { get; set; } = 3600;

    [Description("Seconds that a turn may last without a record from its agent.")]
    [Range(1, 86_400)]
    public int TurnSeconds { get; set; } = 900;

    [Description("Seconds that a run may last in all.")]
    [Range(1, 2_592_000)]
    public int TotalSeconds { get; set; } = 86_400;

    [Description("Turns that this node dispatches at once.")]
    [Range(1, 10_000)]
    public int DispatchConcurrency { get; set; } = 64;

    [Description("Milliseconds between the words of the built-in echo agent.")]
    [Range(0, 60_000)]
    public int EchoDelayMilliseconds { get; set; } = 15;
}

internal sealed class ApprovalOptions
{
    [Description("Projects, by name or id, in which the key that asked for an approval may also decide it. Whoever asks then answers himself: for trying things out.")]
    public string[] DangerousSelfApprovalProjects { get; set; } = [];
}

internal sealed class OutboundOptions
{
    [Description(
        "Networks (CIDR) that this server may connect to although they are private, and by plain http, such as "
        + "10.1.0.0/16. A cloud's metadata address must be listed by itself. Development mode adds loopback.")]
    [Networks]
    public string[] AllowedNetworks { get; set; } = [];

    [Description(
        "Refuse URLs that are not https, except to AllowedNetworks: requests carry tokens and transcripts. "
        + "Development mode switches it off.")]
    public bool HttpsOnly { get; set; } = true;

    [Description("HTTP proxy that outbound requests go through, such as http://proxy.internal:3128. Empty: none. The URL's own address is checked here before each request; the proxy then resolves the name again.")]
    [RegularExpression("^(http://[^/?#@]+)?$", ErrorMessage = "must be http://host[:port]")]
    public string Proxy { get; set; } = "";

    [Description("Seconds that one outbound request may take.")]
    [Range(1, 300)]
    public int TimeoutSeconds { get; set; } = 15;
}

internal sealed class DeliveryOptions
{
    [Description("Requests under way to one endpoint from this node, at most.")]
    [Range(1, 1000)]
    public int EndpointConcurrency { get; set; } = 16;

    [Description("Requests under way to all endpoints from this node, at most.")]
    [Range(1, 10_000)]
    public int Concurrency { get; set; } = 1024;

    [Description("Failures in a row, of any deliveries, after which an endpoint is paused before it is asked again.")]
    [Range(1, 1000)]
    public int CircuitFailures { get; set; } = 5;

    [Description("Seconds of an endpoint's first such pause; it doubles up to sixty times as long.")]
    [Range(1, 3600)]
    public int CircuitSeconds { get; set; } = 5;
}

internal sealed class QuotaOptions
{
    [Description(
        "Bytes of a turn's records that its message is made of. What is beyond is streamed and kept, but cut from the "
        + "message, which says so. 0: no bound.")]
    [Range(0, int.MaxValue)]
    public int TurnBytes { get; set; } = 16 * 1024 * 1024;

    [Description(
        "Bytes of a session's records: one that holds as many takes no more (409 quota_reached). 0: no bound.")]
    [Range(0, int.MaxValue)]
    public int SessionBytes { get; set; } = 1024 * 1024 * 1024;
}

internal sealed class RetentionOptions
{
    [Description("Days that ended runs without a session are kept, with their timelines and the reports under whose ids a repeat is known. Runs of sessions are kept with their session. 0 keeps them for ever.")]
    [Range(0, 36_500)]
    public int RunDays { get; set; } = 90;

    [Description("Days that events and ended deliveries are kept, with their attempts.")]
    [Range(1, 3650)]
    public int DeliveryDays { get; set; } = 30;

    [Description("Finished captures of a trigger that are kept, the newest; those under way are kept beside them.")]
    [Range(1, 100_000)]
    public int CapturesPerTrigger { get; set; } = 100;

    [Description("Days that audit rows are kept.")]
    [Range(1, 3650)]
    public int AuditDays { get; set; } = 90;

    [Description("Days that a closed or expired session is kept with its records and transcript. 0 keeps them for ever.")]
    [Range(0, 36_500)]
    public int ClosedSessionDays { get; set; }
}

internal sealed class TelemetryOptions
{
    [Description("OTLP endpoint (http/protobuf) for traces and metrics, such as http://127.0.0.1:4318. Empty: nothing is exported.")]
    [RegularExpression("^(https?://.+)?$", ErrorMessage = "must be an http(s) URL")]
    public string Endpoint { get; set; } = "";

    [Description("Seconds between two exports of metrics.")]
    [Range(1, 3600)]
    public int MetricsSeconds { get; set; } = 15;
}

internal sealed class LogOptions
{
    [Description("Least severe log line that is written: Trace, Debug, Information, Warning, Error or Critical.")]
    [RegularExpression("^(Trace|Debug|Information|Warning|Error|Critical)$", ErrorMessage = "must be Trace, Debug, Information, Warning, Error or Critical")]
    public string Level { get; set; } = "Information";

    [Description("How log lines are written: json, one object a line, or text.")]
    [RegularExpression("^(json|text)$", ErrorMessage = "must be json or text")]
    public string Format { get; set; } = "json";
}

[AttributeUsage(AttributeTargets.Property)]
internal sealed class NetworksAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is string[] list && Array.TrueForAll(list, text => System.Net.IPNetwork.TryParse(text, out _));

    public override string FormatErrorMessage(string name) => "must be networks in CIDR form, comma-separated";
}
