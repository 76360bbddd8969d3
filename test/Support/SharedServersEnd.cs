using Postern.Support;

[assembly: AssemblyFixture(typeof(SharedServersEnd))]

namespace Postern.Support;

/// <summary>
/// Ends what all tests of a project share while the run still goes on. The runner gives a process ten seconds to end
/// after that, and to delete hundreds of databases may take longer on a busy machine.
/// </summary>
public sealed class SharedServersEnd : IDisposable
{
    public void Dispose() => PostgresServer.EndShared();
}
