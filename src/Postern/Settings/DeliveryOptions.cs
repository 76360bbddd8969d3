using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

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
