namespace Postern.Access;

/// <summary>A session of the console in memory. Every request and stream with its cookie uses this object.</summary>
internal sealed class ConsoleSessionEntry(ConsoleSession first, long idle)
{
    private volatile ConsoleSession _row = first;
    private long _seenAt = first.SeenAt;

    public ConsoleSession Row => _row;

    /// <summary>
    /// The time of its last request on this node, or on another node as far as known here, in microseconds.
    /// </summary>
    public long SeenAt => Interlocked.Read(ref _seenAt);

    /// <summary>Returns why it has ended (a <see cref="StreamEnd"/> reason), or null while it is good.</summary>
    public string? WhyEnded(long now)
    {
        var row = _row;
        if (row.EndedAt is not null)
            return StreamEnd.Revoked;
        return now >= row.Until || now >= SeenAt + idle ? StreamEnd.Expired : null;
    }

    public void Seen(long at)
    {
        if (at > SeenAt)
            Interlocked.Exchange(ref _seenAt, at);
    }

    public void Update(ConsoleSession row)
    {
        // An ended session never lives again, whatever was read before.
        if (_row.EndedAt is null)
            _row = row;
        Seen(row.SeenAt);
    }
}
