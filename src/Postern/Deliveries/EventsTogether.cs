using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// The events of one thing that a transaction does, gathered to be one row: from <see cref="Begin"/> on all that the
/// transaction emits for the project is kept here, and written by <see cref="Write"/>. Deliveries are not: each has a
/// row. Only for events that the same callers may see (<see cref="EventRow"/>).
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

    /// <summary>Adds an event to those that are gathered now, if any are.</summary>
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

    /// <summary>Writes what was gathered, behind all that it is about.</summary>
    public void Write()
    {
        if (_events.Count > 0)
            EventRow.Insert(_tx, _project, _tx.Now, _events);
        _events.Clear();
    }

    /// <summary>From here on events are written as they come.</summary>
    public void Dispose() => _tx.Cache.Remove(Key);
}
