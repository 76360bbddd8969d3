using System.Text;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>Renders pages whole, and makes the context that they stand in.</summary>
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

    /// <summary>The context of a page for whoever is signed in.</summary>
    public async Task<PageContext> ContextAsync(HttpContext http, ProjectCaller caller) =>
        new(http, caller, paths, database.Now)
        {
            ProjectName = await projects.NameAsync(caller.Project),
            Waiting = await counts.OfAsync(caller),
            IsDefaultProject = caller.Project == await projects.DefaultAsync(),
        };

    /// <summary>The context of a stream: it shows neither menu nor project.</summary>
    public PageContext ContextOf(HttpContext http, ProjectCaller caller) => new(http, caller, paths, database.Now);

    /// <summary>The context of a page that anyone may see.</summary>
    public PageContext ContextOfAnyone(HttpContext http) => new(http, null, paths, database.Now);

    public async Task<IResult> PageAsync<TPage, TModel>(PageContext context, TModel model, int status = 200)
        where TPage : IComponent => new HtmlResult(status, await RenderAsync<TPage, TModel>(context, model));

    /// <summary>A fragment or a page as its bytes.</summary>
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

    /// <summary>The page of a refusal, whose status and headers are set already.</summary>
    public async Task<IResult> ErrorAsync(HttpContext http, Refusal refusal)
    {
        // What is missing looks the same to everybody, signed in or not; what is broken may not be asked for more.
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

    /// <summary>A page that asks for itself once more, from here.</summary>
    public async Task<IResult> AgainAsync(HttpContext http, string path) =>
        new HtmlResult(200, await RenderAsync<AgainPage, string>(ContextOfAnyone(http), path));
}
