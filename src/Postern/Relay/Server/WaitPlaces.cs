namespace Postern.Relay.Server;

/// <summary>Places for waiting requests: so many for each plane, ten times as many on this node.</summary>
internal sealed class WaitPlaces(int most)
{
    private const int NodeFactor = 10;
    private readonly Dictionary<string, int> _taken = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private int _all;

    /// <summary>Returns false when too many wait already.</summary>
    public bool Join(string plane)
    {
        lock (_gate)
        {
            var now = _taken.GetValueOrDefault(plane);
            if (now >= most || _all >= most * NodeFactor)
                return false;
            _taken[plane] = now + 1;
            _all++;
            return true;
        }
    }

    public void Leave(string plane)
    {
        lock (_gate)
        {
            _all--;
            if (--_taken[plane] == 0)
                _taken.Remove(plane);
        }
    }
}
