using Postern.Access;
using Postern.Live;
using Postern.Metrics;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// The server itself, for the admin of its first project: nodes, database, settings, what the doctor says.
/// </summary>
internal sealed class ServerPages(
    PageWriter writer,
    Projects projects,
    MetricReader metrics,
    MetricWriter kept,
    StreamRegistry streams,
    PosternOptions options,
    Database database,
    AskDoctor doctor,
    TimeProvider clock
) : IPages
{
    private const string Rule = "admin of the project default";
    private const long Hour = 3_600_000_000;
    private readonly long _began = clock.GetTimestamp();

    public void Map(PageDoors pages) => pages.Page("/server", Rule, Show).WithSummary("The server");

    private async Task<IResult> Show(PageContext context)
    {
        if (!context.Caller.Allows(RequiredScope.FullAdmin) || context.Project != await projects.DefaultAsync())
            return ConsoleFamily.Instance.Forbidden(Rule);
        if (!PageFilters.Read(context.Http).Try(out _, out var wrong))
            return wrong;
        var now = context.Now;
        var series = await metrics.ReadAsync(
            context.Project,
            [.. ServerNode.Measures.Select(MeasureKind.Of)],
            MetricWidth.Minute,
            now - Hour,
            now + Hour
        );
        return await writer.PageAsync<ServerPage, ServerModel>(
            context,
            new ServerModel
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
            }
        );
    }
}
