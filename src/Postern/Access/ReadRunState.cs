namespace Postern.Access;

/// <summary>Reads the state of a run, or null when there is no such run. The store of runs provides it.</summary>
internal delegate ValueTask<RunState?> ReadRunState(string project, string run);
