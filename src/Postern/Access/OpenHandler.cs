namespace Postern.Access;

/// <summary>A handler that anyone may reach.</summary>
internal delegate Task<IResult> OpenHandler(HttpContext http);
