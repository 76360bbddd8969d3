using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;

namespace Postern.Pages;

/// <summary>
/// The root of a page. It passes on the context and the model as cascading values, because these may have internal
/// types; the parameters of a component may not.
/// </summary>
internal sealed class PageRoot<TPage, TModel> : IComponent
    where TPage : IComponent
{
    private RenderHandle _handle;

    public void Attach(RenderHandle renderHandle) => _handle = renderHandle;

    public Task SetParametersAsync(ParameterView parameters)
    {
        var context = parameters.GetValueOrDefault<PageContext>("Context");
        var model = parameters.GetValueOrDefault<TModel>("Model");
        _handle.Render(root => Cascade(root, context, inner => Cascade(inner, model, Page)));
        return Task.CompletedTask;
    }

    private static void Page(RenderTreeBuilder builder)
    {
        builder.OpenComponent<TPage>(0);
        builder.CloseComponent();
    }

    private static void Cascade<T>(RenderTreeBuilder builder, T value, RenderFragment content)
    {
        builder.OpenComponent<CascadingValue<T>>(0);
        builder.AddComponentParameter(1, nameof(CascadingValue<T>.Value), value);
        builder.AddComponentParameter(2, nameof(CascadingValue<T>.IsFixed), true);
        builder.AddComponentParameter(3, nameof(CascadingValue<T>.ChildContent), content);
        builder.CloseComponent();
    }
}
