using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>Refusals that pages share. What is not there and what is not for the caller look the same.</summary>
internal static class PageRefusals
{
    public static Refusal NotFound { get; } = new(404, "Not found", "not_found");

    /// <summary>
    /// For a thing that the caller may not do this to: 403 when he may read it, else as if it were not there.
    /// </summary>
    public static Refusal Denied(ProjectCaller caller, string action, string type, string id) =>
        caller.Allows("read", type, id) ? ConsoleFamily.Instance.Forbidden($"{action}:{type}:{id}") : NotFound;
}
