using System.Text;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>Renders whole pages, and makes their context.</summary>
internal sealed class PageWriter(
    Paths paths,
    Projects projects,
    PageCounts counts,
    Database database,
    IServiceProvider services,
    ILoggerFactory logs
)
{
    public Paths Paths => paths;

    /// <summary>Makes the context of a page for the signed-in person.</summary>
    public async Task<PageContext> ContextAsync(HttpContext http, ProjectCaller caller) =>
        new(http, caller, paths, database.Now)
        {
            ProjectName = await projects.NameAsync(caller.Project),
            Waiting = await counts.OfAsync(caller),
            IsDefaultProject = caller.Project == await projects.DefaultAsync(),
        };

    /// <summary>Makes the context of a stream, which shows neither menu nor project.</summary>
    public PageContext ContextOf(HttpContext http, ProjectCaller caller) => new(http, caller, paths, database.Now);

    /// <summary>Makes the context of a page for anyone.</summary>
    public PageContext ContextOfAnyone(HttpContext http) => new(http, null, paths, database.Now);

    public async Task<IResult> PageAsync<TPage, TModel>(PageContext context, TModel model, int status = 200)
        where TPage : IComponent => new HtmlResult(status, await RenderAsync<TPage, TModel>(context, model));

    /// <summary>Returns a fragment or a page as bytes.</summary>
    public async Task<byte[]> RenderAsync<TPage, TModel>(PageContext context, TModel model)
        where TPage : IComponent
    {
        await using var renderer = new HtmlRenderer(services, logs);
        var parameters = ParameterView.FromDictionary(
            new Dictionary<string, object?>(StringComparer.Ordinal) { ["Context"] = context, ["Model"] = model }
        );
        var html = await renderer.Dispatcher.InvokeAsync(async () =>
            (await renderer.RenderComponentAsync<PageRoot<TPage, TModel>>(parameters)).ToHtmlString()
        );
        return Encoding.UTF8.GetBytes(html);
    }

    /// <summary>Renders the page of a refusal, whose status and headers are set already.</summary>
    public async Task<IResult> ErrorAsync(HttpContext http, Refusal refusal)
    {
        // A missing page looks the same for everybody, signed in or not. After a fault the database is not asked again.
        var isPlain = refusal.Status is 401 or 404 or 405 or 429 or >= 500;
        var context =
            !isPlain && http.Features.Get<RequestCaller>() is ProjectCaller caller
                ? new PageContext(http, caller, paths, database.Now)
                {
                    ProjectName = await projects.NameAsync(caller.Project),
                    IsDefaultProject = caller.Project == await projects.DefaultAsync(),
                }
                : ContextOfAnyone(http);
        var model = new ErrorModel(refusal, http.Features.Get<ConsoleForm>());
        return new HtmlResult(refusal.Status, await RenderAsync<ErrorPage, ErrorModel>(context, model));
    }

    /// <summary>Renders a page that loads the same address again, from this site.</summary>
    public async Task<IResult> RefreshAsync(HttpContext http, string path) =>
        new HtmlResult(200, await RenderAsync<AgainPage, string>(ContextOfAnyone(http), path));
}
