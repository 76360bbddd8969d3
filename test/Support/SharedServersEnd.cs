using Postern.Support;

[assembly: AssemblyFixture(typeof(SharedServersEnd))]

namespace Postern.Support;

/// <summary>
/// Stops the shared servers of a project before the run ends. After the run, a process has only ten seconds, and
/// deleting hundreds of databases may take longer on a busy machine.
/// </summary>
public sealed class SharedServersEnd : IDisposable
{
    public void Dispose() => PostgresServer.EndShared();
}
