using System.Collections.Concurrent;

namespace Postern.Access;

/// <summary>
/// The keys that have been seen, in memory. An entry lives on when its row changes: whoever holds it (a stream, a token
/// signed by it) sees a revocation or narrowed scopes in O(1). It is refreshed by <see cref="AccessWatch"/> on every
/// change, here before the answer to the call that changed it, elsewhere within a second; nothing is left to expire.
/// </summary>
internal sealed class KeyRing(KeyStore store, KnownProjects projects, MasterKey master)
{
    private readonly CacheFill _fill = new();
    private readonly ConcurrentDictionary<string, KeyEntry> _byId = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, KeyEntry> _roots = new(StringComparer.Ordinal);

    /// <summary>
    /// What a presented key opens, or null: uniform, whether the id exists or not, in the answer and in the time it
    /// takes.
    /// </summary>
    public async ValueTask<KeyGrant?> VerifyAsync(string presented, long now)
    {
        if (ApiKey.TryParse(presented) is not { } key)
            return null;
        if (_byId.TryGetValue(key.Id, out var entry) && entry.Matches(key.Text, now) is { } grant)
            return grant;
        // A refusal always costs one look into the store: of an id that is known, too.
        return (await FindAsync(key.Id))?.Matches(key.Text, now);
    }

    /// <summary>
    /// Why a presented text opens nothing, for the audit alone, and the key's id where it is one of the key's own.
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

    /// <summary>The key of an id in a project, alive; null when there is none.</summary>
    public async ValueTask<KeyEntry?> FindAsync(string project, string id)
    {
        if (!_byId.TryGetValue(id, out var entry))
            entry = await FindAsync(id);
        return entry?.Row.Project == project ? entry : null;
    }

    private ValueTask<KeyEntry?> FindAsync(string id) =>
        _fill.FillAsync(() => store.FindAsync(id), row => row is null ? null : Keep(row));

    /// <summary>
    /// The root key of a project, which its tokens are signed with; null when there is no such project.
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

    /// <summary>Entries used since the last call, for the lazily written time of last use.</summary>
    public List<(string Project, string Id, long At)> TakeUsed()
    {
        var used = new List<(string, string, long)>();
        foreach (var entry in _byId.Values)
            if (entry.TakeUsed() is { } at)
                used.Add((entry.Row.Project, entry.Row.Id, at));
        return used;
    }

    /// <summary>From where keys were used since the last call.</summary>
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
