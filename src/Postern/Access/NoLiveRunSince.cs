namespace Postern.Access;

/// <summary>
/// Returns a condition: no live run of a project has an attempt that began at an instant or before. The store of runs
/// provides it.
/// </summary>
/// <param name="project">An expression.</param>
/// <param name="instant">An expression, microseconds since 1970.</param>
internal delegate string NoLiveRunSince(string project, string instant);
