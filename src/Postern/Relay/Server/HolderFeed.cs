namespace Postern.Relay.Server;

/// <summary>
/// The envelopes that one connection offers while it holds its plane. When it begins again, it reads from the first
/// number again, so it also offers what another holder was offering.
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

    /// <summary>An envelope was answered or is gone, so there is room for another.</summary>
    public void Done(long seq)
    {
        lock (_gate)
            _offers.Done(seq);
    }

    /// <summary>Returns the bytes of the next envelope, or null when none may be sent now.</summary>
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
            // The envelope was answered through another connection, or has expired.
            Done(next.Seq);
        }
    }

    /// <summary>Reads what has come since the last time.</summary>
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
                // It began again meanwhile: what was found here comes after what must be read first.
                if (begun != _begun)
                    continue;
                foreach (var envelope in found)
                    _offers.Add(envelope);
            }
            if (found.Count < Page)
                return;
        }
    }

    /// <summary>Returns envelopes that are gone and of which the plane was not told.</summary>
    public ValueTask<List<SettledAnswer>> GoneAsync() => envelopes.GoneAsync(plane, Page);

    public async Task MarkReportedAsync(IReadOnlyList<SettledAnswer> gone)
    {
        foreach (var one in gone)
            Done(one.Seq);
        await envelopes.MarkReportedAsync(plane, [.. gone.Select(g => g.Seq)]);
    }
}
