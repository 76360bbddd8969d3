using System.Collections.Concurrent;

namespace Postern.Access;

/// <summary>
/// The ids of all projects, in memory: kept by <see cref="AccessWatch"/>, which reads every root key at the start and
/// hears of each new one. Whoever names a project that is not there costs no look into the store.
/// </summary>
internal sealed class KnownProjects
{
    private readonly ConcurrentDictionary<string, byte> _projects = new(StringComparer.Ordinal);

    public void Add(string project) => _projects.TryAdd(project, 0);

    public bool Has(string project) => _projects.ContainsKey(project);
}
