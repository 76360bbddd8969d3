using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>Refusals that several pages use. A missing thing looks like one that the caller may not see.</summary>
internal static class PageRefusals
{
    public static Refusal NotFound { get; } = new(404, "Not found", "not_found");

    /// <summary>
    /// The refusal of an action: 403 when the caller may read the thing, else the same as for a missing one.
    /// </summary>
    public static Refusal Denied(ProjectCaller caller, string action, string type, string id) =>
        caller.Allows("read", type, id) ? ConsoleFamily.Instance.Forbidden($"{action}:{type}:{id}") : NotFound;
}
