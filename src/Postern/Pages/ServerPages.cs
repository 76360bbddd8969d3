using Postern.Access;

namespace Postern.Pages;

/// <summary>
/// The page of the server, for administrators of its first project: nodes, database, settings, findings of the doctor.
/// </summary>
internal sealed class ServerPages(PageWriter writer, Projects projects, ServerModelReader reader) : IPages
{
    private const string Rule = "admin of the project default";

    public void Map(PageDoors pages) => pages.Page("/server", Rule, Show).WithSummary("The server");

    private async Task<IResult> Show(PageContext context)
    {
        if (!context.Caller.Allows(RequiredScope.FullAdmin) || context.Project != await projects.DefaultAsync())
            return ConsoleFamily.Instance.Forbidden(Rule);
        if (!PageFilters.Read(context.Http).Try(out _, out var wrong))
            return wrong;
        return await writer.PageAsync<ServerPage, ServerModel>(
            context,
            await reader.ReadAsync(context.Project, context.Now)
        );
    }
}
