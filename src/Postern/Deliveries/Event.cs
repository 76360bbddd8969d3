namespace Postern.Deliveries;

/// <summary>An event, as it is listed and sent.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Type">One of <see cref="EventType"/>.</param>
/// <param name="Subject">The run's or session's id: its events arrive in order.</param>
/// <param name="Body"><c>{type, timestamp, data}</c>.</param>
internal sealed record Event(string Id, string Type, string Subject, byte[] Body)
{
    /// <summary>Its position in the list, once it is stored. Events of one transaction may share a position.</summary>
    public long Position { get; init; }
}
