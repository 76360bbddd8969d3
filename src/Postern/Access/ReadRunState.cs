namespace Postern.Access;

/// <summary>Reads the state of a run; null when there is no such run. The runs' own store answers it.</summary>
internal delegate ValueTask<RunState?> ReadRunState(string project, string run);
