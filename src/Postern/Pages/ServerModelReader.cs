using Postern.Live;
using Postern.Metrics;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>Reads the content of the page of the server.</summary>
internal sealed class ServerModelReader(
    MetricReader metrics,
    MetricWriter kept,
    StreamRegistry streams,
    PosternOptions options,
    Database database,
    AskDoctor doctor,
    TimeProvider clock
)
{
    private const long Hour = 3_600_000_000;
    private readonly long _began = clock.GetTimestamp();

    /// <param name="project">The server's first project, which the measures of nodes are kept under.</param>
    /// <param name="now">The database's time, microseconds.</param>
    public async Task<ServerModel> ReadAsync(string project, long now)
    {
        var series = await metrics.ReadAsync(
            project,
            [.. ServerNode.Measures.Select(MeasureKind.Of)],
            MetricWidth.Minute,
            now - Hour,
            now + Hour
        );
        return new ServerModel
        {
            Node = kept.Node,
            Uptime = clock.GetElapsedTime(_began),
            Database = database.Kind,
            Schema = await Migrations.VersionAsync(database),
            Room = await database.RoomAsync(),
            QueuedWrites = database.QueuedWrites,
            Streams = streams.Count,
            Nodes = ServerNode.Of(series),
            Doctor = await doctor(),
            Settings = [.. ShownSettings.Of(options)],
        };
    }
}
