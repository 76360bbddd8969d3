using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Postern.Settings;

namespace Postern.Hosting;

/// <summary>
/// Sends traces and metrics over OTLP (http/protobuf) when an endpoint is set. Requests come from the framework's
/// source and meter; the store, the writer's queue and batches, and the streams come from ours.
/// </summary>
internal sealed class Telemetry : IDisposable
{
    private readonly TracerProvider? _traces;
    private readonly MeterProvider? _metrics;

    public Telemetry(TelemetryOptions options)
    {
        if (options.Endpoint.Length == 0)
            return;
        var resource = ResourceBuilder.CreateDefault().AddService("postern", serviceVersion: ProductVersion.Text);
        _traces = Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(resource)
            .AddSource("Postern", "Microsoft.AspNetCore", "Npgsql")
            .AddOtlpExporter(o => Configure(o, "/v1/traces"))
            .Build();
        _metrics = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(resource)
            .AddMeter(
                "Postern",
                "Microsoft.AspNetCore.Hosting",
                "Microsoft.AspNetCore.Server.Kestrel",
                "Npgsql",
                "System.Runtime"
            )
            .AddOtlpExporter(
                (o, reader) =>
                {
                    Configure(o, "/v1/metrics");
                    reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds =
                        options.MetricsSeconds * 1000;
                }
            )
            .Build();

        void Configure(OtlpExporterOptions exporter, string path)
        {
            exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
            exporter.Endpoint = new Uri(options.Endpoint.TrimEnd('/') + path);
        }
    }

    public void Dispose()
    {
        _traces?.Dispose();
        _metrics?.Dispose();
    }
}
