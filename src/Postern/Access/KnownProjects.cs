using System.Collections.Concurrent;

namespace Postern.Access;

/// <summary>
/// The ids of all projects, in memory. <see cref="AccessWatch"/> reads every root key at the start and every new one
/// later. A request for an unknown project costs no read from the store.
/// </summary>
internal sealed class KnownProjects
{
    private readonly ConcurrentDictionary<string, byte> _projects = new(StringComparer.Ordinal);

    public void Add(string project) => _projects.TryAdd(project, 0);

    public bool Has(string project) => _projects.ContainsKey(project);
}
