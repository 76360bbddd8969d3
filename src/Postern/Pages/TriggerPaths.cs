using Postern.Triggers;

namespace Postern.Pages;

/// <summary>Where the pages of triggers are.</summary>
internal static class TriggerPaths
{
    /// <summary>The route of one trigger's page.</summary>
    public const string One = "/triggers/{kind}/{owner}/{trigger}";

    /// <summary>The page of a trigger.</summary>
    public static string Of(PageContext context, TriggerName name) => context.Of("/triggers/" + name.Path);

    /// <summary>The page of the trigger that scopes name so; null where that names none.</summary>
    public static string? OfScope(PageContext context, string scope) =>
        TriggerName.OfScope(scope) is { } name ? Of(context, name) : null;
}
