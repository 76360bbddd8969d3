namespace Postern.Relay.Server;

/// <summary>
/// What one connection offers while it holds its plane: it knows what waits, and gives the next that may go out. Begun
/// anew, it looks from the first again: what another holder was offered is offered here too.
/// </summary>
internal sealed class HolderFeed(string plane, EnvelopeStore envelopes)
{
    private const int Page = 1_000;
    private readonly Offers _offers = new();
    private readonly Lock _gate = new();
    private int _begun;

    public void BeginAnew()
    {
        lock (_gate)
        {
            _offers.Clear();
            _begun++;
        }
    }

    /// <summary>One is answered or gone: there is room for another.</summary>
    public void Done(long seq)
    {
        lock (_gate)
            _offers.Done(seq);
    }

    /// <summary>The bytes of the next; null when nothing may go out now.</summary>
    public async Task<byte[]?> NextAsync()
    {
        while (true)
        {
            WaitingEnvelope? next;
            lock (_gate)
                next = _offers.Next();
            if (next is null)
                return null;
            if (await envelopes.FrameAsync(plane, next.Seq) is { } frame)
                return frame;
            // It was answered on another way, or has expired.
            Done(next.Seq);
        }
    }

    /// <summary>Learns what has come since the last time.</summary>
    public async Task LoadAsync()
    {
        while (true)
        {
            (long last, int begun) = (0, 0);
            lock (_gate)
            {
                if (_offers.Waiting >= Offers.Most)
                    return;
                (last, begun) = (_offers.Last, _begun);
            }
            var found = await envelopes.WaitingAsync(plane, last, Page);
            lock (_gate)
            {
                // Begun anew meanwhile: what was found is behind what must be found first.
                if (begun != _begun)
                    continue;
                foreach (var envelope in found)
                    _offers.Add(envelope);
            }
            if (found.Count < Page)
                return;
        }
    }

    /// <summary>Envelopes that are gone, of which the plane was not told.</summary>
    public ValueTask<List<SettledAnswer>> GoneAsync() => envelopes.GoneAsync(plane, Page);

    public async Task ToldAsync(IReadOnlyList<SettledAnswer> gone)
    {
        foreach (var one in gone)
            Done(one.Seq);
        await envelopes.ToldAsync(plane, [.. gone.Select(g => g.Seq)]);
    }
}
