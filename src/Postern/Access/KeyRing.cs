using System.Collections.Concurrent;

namespace Postern.Access;

/// <summary>
/// The keys that this node has seen, in memory. An entry stays the same object when its row changes, so whatever uses
/// it (a stream, a token signed with it) sees a revocation or narrowed scopes in O(1). <see cref="AccessWatch"/>
/// refreshes it on every change: here before the answer to the change, elsewhere within a second. No entry has to
/// expire.
/// </summary>
internal sealed class KeyRing(KeyStore store, KnownProjects projects, MasterKey master)
{
    private readonly CacheFill _fill = new();
    private readonly ConcurrentDictionary<string, KeyEntry> _byId = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, KeyEntry> _roots = new(StringComparer.Ordinal);

    /// <summary>
    /// Returns the grant of a presented key, or null. Answer and time are the same whether or not the id exists.
    /// </summary>
    public async ValueTask<KeyGrant?> VerifyAsync(string presented, long now)
    {
        if (ApiKey.TryParse(presented) is not { } key)
            return null;
        if (_byId.TryGetValue(key.Id, out var entry) && entry.Matches(key.Text, now) is { } grant)
            return grant;
        // A refusal always costs one read from the store, even for a known id.
        return (await FindAsync(key.Id))?.Matches(key.Text, now);
    }

    /// <summary>
    /// Returns why a presented text opens nothing, for the audit only, with the key's id when the text was one of its
    /// own.
    /// </summary>
    public string WhyRefused(string presented, long now, out string? keyId)
    {
        keyId = null;
        if (ApiKey.TryParse(presented) is not { } key)
            return presented.StartsWith("pst_", StringComparison.Ordinal) ? "mistyped_key" : "unknown_key";
        if (!_byId.TryGetValue(key.Id, out var entry) || entry.WhyRefused(key.Text, now) is not { } why)
            return "unknown_key";
        keyId = key.Id;
        return why;
    }

    /// <summary>Returns the key with an id in a project, or null when there is none.</summary>
    public async ValueTask<KeyEntry?> FindAsync(string project, string id)
    {
        if (!_byId.TryGetValue(id, out var entry))
            entry = await FindAsync(id);
        return entry?.Row.Project == project ? entry : null;
    }

    private ValueTask<KeyEntry?> FindAsync(string id) =>
        _fill.FillAsync(() => store.FindAsync(id), row => row is null ? null : Keep(row));

    /// <summary>
    /// Returns the root key of a project, which signs its tokens, or null when there is no such project.
    /// </summary>
    public async ValueTask<KeyEntry?> RootAsync(string project)
    {
        if (_roots.TryGetValue(project, out var entry))
            return entry;
        if (!projects.Has(project))
            return null;
        return await _fill.FillAsync(() => store.FindRootAsync(project), row => row is null ? null : Keep(row));
    }

    public void Refresh(IEnumerable<KeyRow> changed)
    {
        _fill.Changed();
        foreach (var row in changed)
        {
            if (row.Kind == "root")
                projects.Add(row.Project);
            if (_byId.TryGetValue(row.Id, out var entry))
                entry.Update(row);
        }
    }

    /// <summary>Returns the entries used since the last call, whose time of use must be written.</summary>
    public List<(string Project, string Id, long At)> TakeUsed()
    {
        var used = new List<(string, string, long)>();
        foreach (var entry in _byId.Values)
            if (entry.TakeUsed() is { } at)
                used.Add((entry.Row.Project, entry.Row.Id, at));
        return used;
    }

    /// <summary>Returns the addresses from which keys were used since the last call.</summary>
    public List<(string Project, string Id, string Address, long At)> TakeAddresses() =>
        [
            .. _byId.Values.SelectMany(entry =>
                entry
                    .TakeAddresses()
                    .Select(from => (entry.Row.Project, entry.Row.Id, CredentialReader.Shown(from.Address), from.At))
            ),
        ];

    private KeyEntry Keep(KeyRow row)
    {
        var entry = _byId.GetOrAdd(row.Id, static (_, state) => new KeyEntry(state.row, state.master), (row, master));
        entry.Update(row);
        if (row.Kind == "root")
            _roots[row.Project] = entry;
        return entry;
    }
}
