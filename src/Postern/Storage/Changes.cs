using System.Collections.Concurrent;

namespace Postern.Storage;

/// <summary>
/// Who wants to know that a topic changed, in this process. An announcement is a hint and nothing more: whoever gets one
/// reads the truth from the database by a cursor, and looks by itself now and then where no hint comes.
/// </summary>
internal sealed class Changes
{
    private readonly ConcurrentDictionary<string, Action[]> _listeners = new(StringComparer.Ordinal);
    private Action<IReadOnlyList<string>>? _relay;

    /// <summary>Set once by the database that tells other nodes: called with what this node committed.</summary>
    internal void RelayTo(Action<IReadOnlyList<string>> relay) => _relay = relay;

    public IDisposable Listen(string topic, Action heard)
    {
        _listeners.AddOrUpdate(topic, _ => [heard], (_, old) => [.. old, heard]);
        return new Subscription(this, topic, heard);
    }

    /// <summary>Tells this process, and through the relay the others, of a commit made here.</summary>
    internal void Committed(IReadOnlyList<string> topics)
    {
        if (topics.Count == 0) return;
        Heard(topics);
        _relay?.Invoke(topics);
    }

    /// <summary>Tells this process alone: of a commit made elsewhere.</summary>
    internal void Heard(IReadOnlyList<string> topics)
    {
        foreach (var topic in topics)
        {
            if (!_listeners.TryGetValue(topic, out var listeners)) continue;
            foreach (var heard in listeners) heard();
        }
    }

    /// <summary>Everyone looks: after a pause in which hints may have been lost.</summary>
    internal void HeardEverything()
    {
        foreach (var listeners in _listeners.Values)
            foreach (var heard in listeners) heard();
    }

    private void Remove(string topic, Action heard)
    {
        while (_listeners.TryGetValue(topic, out var old))
        {
            var index = Array.IndexOf(old, heard);
            if (index < 0) return;
            Action[] rest = [.. old[..index], .. old[(index + 1)..]];
            if (rest.Length == 0
                ? _listeners.TryRemove(new KeyValuePair<string, Action[]>(topic, old))
                : _listeners.TryUpdate(topic, rest, old)) return;
        }
    }

    private sealed class Subscription(Changes changes, string topic, Action heard) : IDisposable
    {
        public void Dispose() => changes.Remove(topic, heard);
    }
}
