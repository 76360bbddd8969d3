using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

internal sealed class TelemetryOptions
{
    [Description(
        "OTLP endpoint (http/protobuf) for traces and metrics, such as http://127.0.0.1:4318. Empty: nothing is "
            + "exported."
    )]
    [RegularExpression("^(https?://.+)?$", ErrorMessage = "must be an http(s) URL")]
    public string Endpoint { get; set; } = "";

    [Description("Seconds between two exports of metrics.")]
    [Range(1, 3600)]
    public int MetricsSeconds { get; set; } = 15;
}
