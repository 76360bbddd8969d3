namespace Postern.Access;

/// <summary>A handler behind a credential.</summary>
internal delegate Task<IResult> ProjectHandler(HttpContext http, ProjectCaller caller);
