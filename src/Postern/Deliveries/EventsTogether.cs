using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// Collects the events about one thing in a transaction, so that they become one row. From <see cref="Begin"/> on, all
/// events that the transaction emits for the project are collected, and <see cref="Write"/> writes them. Each delivery
/// still has its own row. Only for events with the same readers (<see cref="EventRow"/>).
/// </summary>
internal sealed class EventsTogether : IDisposable
{
    private const string Key = "events together";

    private readonly Tx _tx;
    private readonly string _project;
    private readonly List<Event> _events = [];

    private EventsTogether(Tx tx, string project) => (_tx, _project) = (tx, project);

    public static EventsTogether Begin(Tx tx, string project)
    {
        var together = new EventsTogether(tx, project);
        tx.Cache[Key] = together;
        return together;
    }

    /// <summary>Collects an event, if collecting has begun.</summary>
    public static bool Take(Tx tx, string project, Event one)
    {
        if (
            !tx.Cache.TryGetValue(Key, out var now)
            || now is not EventsTogether together
            || together._project != project
        )
            return false;
        together._events.Add(one);
        return true;
    }

    /// <summary>Writes the collected events, after the rows that they are about.</summary>
    public void Write()
    {
        if (_events.Count > 0)
            EventRow.Insert(_tx, _project, _tx.Now, _events);
        _events.Clear();
    }

    /// <summary>From here on, events are written one by one.</summary>
    public void Dispose() => _tx.Cache.Remove(Key);
}
