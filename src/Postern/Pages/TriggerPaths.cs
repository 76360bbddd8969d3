using Postern.Triggers;

namespace Postern.Pages;

/// <summary>The addresses of the pages of triggers.</summary>
internal static class TriggerPaths
{
    /// <summary>The route of one trigger's page.</summary>
    public const string One = "/triggers/{kind}/{owner}/{trigger}";

    /// <summary>The page of a trigger.</summary>
    public static string Of(PageContext context, TriggerName name) => context.Of("/triggers/" + name.Path);

    /// <summary>Returns the page of the trigger with this scope name, or null when there is none.</summary>
    public static string? OfScope(PageContext context, string scope) =>
        TriggerName.OfScope(scope) is { } name ? Of(context, name) : null;
}
