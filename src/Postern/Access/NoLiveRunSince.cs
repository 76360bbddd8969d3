namespace Postern.Access;

/// <summary>
/// A condition: no live run of a project is at an attempt that began at an instant or before. The runs' own store says
/// it.
/// </summary>
/// <param name="project">An expression.</param>
/// <param name="instant">An expression, microseconds since 1970.</param>
internal delegate string NoLiveRunSince(string project, string instant);
