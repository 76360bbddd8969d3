using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

/// <summary>
/// All settings, read once at the start from <c>postern.json</c> and the environment. Every one has limits, and all
/// faults are reported together. The descriptions are the text of <c>docs/configuration.md</c>. The name of an unsafe
/// setting begins with <c>Dangerous</c>.
/// </summary>
internal sealed class PosternOptions
{
    [Description("Slug of the agent that a bare session key means.")]
    [RegularExpression("^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", ErrorMessage = "must be an agent's slug")]
    public string DefaultAgent { get; set; } = "echo";

    [Description(
        "Where clients reach this server, for links that it hands out, such as https://agents.example.com. Empty: "
            + "the address it listens on. With a path, the proxy in front takes the path off each request."
    )]
    [RegularExpression(
        "^(https?://[^/?#]+(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)?$",
        ErrorMessage = "must be http(s)://host[:port][/path] without a slash at the end"
    )]
    public string PublicUrl { get; set; } = "";

    public RateLimitOptions RateLimits { get; set; } = new();

    public QuotaOptions Quotas { get; set; } = new();

    public OperatorOptions Operators { get; set; } = new();

    public RunOptions Runs { get; set; } = new();

    public ApprovalOptions Approvals { get; set; } = new();

    public OutboundOptions Outbound { get; set; } = new();

    public DeliveryOptions Deliveries { get; set; } = new();

    public RetentionOptions Retention { get; set; } = new();

    public ConsoleOptions Console { get; set; } = new();

    public RelayOptions Relay { get; set; } = new();

    public RelayServerOptions RelayServer { get; set; } = new();

    public TelemetryOptions Telemetry { get; set; } = new();

    public LogOptions Log { get; set; } = new();
}
