using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

/// <summary>Only for <c>postern relay serve</c>.</summary>
internal sealed class RelayServerOptions
{
    [Description("Relay: hours that a stored request waits for its plane, and that a receipt is kept after its end.")]
    [Range(1, 720)]
    public int RetentionHours { get; set; } = 72;

    [Description("Relay: stored requests of a plane, where its code says nothing else.")]
    [Range(100, 1_000_000)]
    public int Envelopes { get; set; } = 10_000;

    [Description("Relay: bytes of the stored requests of a plane, where its code says nothing else.")]
    [Range(4 * 1024 * 1024, int.MaxValue)]
    public int Bytes { get; set; } = 256 * 1024 * 1024;

    [Description("Relay: requests a second to the doors of one plane, and ten times as many at once. 0: no limit.")]
    [Range(0, 1_000_000)]
    public int PlanePerSecond { get; set; } = 500;

    [Description(
        "Relay: requests a second from an address of a network that the plane does not know yet, and five times as "
            + "many at once. 0: no limit."
    )]
    [Range(0, 1_000_000)]
    public int UnknownPerSecond { get; set; } = 20;

    [Description("Relay: callers that wait for the answer of one plane at once; ten times as many on a node.")]
    [Range(0, 100_000)]
    public int Waiting { get; set; } = 500;

    [Description("Relay: networks (CIDR) of proxies in front of it, whose X-Forwarded-For is believed.")]
    [Networks]
    public string[] TrustedProxies { get; set; } = [];
}
