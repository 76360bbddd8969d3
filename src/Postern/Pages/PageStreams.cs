using System.Text;
using Postern.Live;

namespace Postern.Pages;

/// <summary>
/// The open streams of pages on this node, by session. A session keeps its newest <see cref="MostPerSession"/>: one
/// more ends the oldest. A browser opens few connections to one server, and without this limit the next page would
/// hang.
/// </summary>
internal sealed class PageStreams
{
    public const int MostPerSession = 4;

    /// <summary>
    /// A newer page of the session took this stream's place. It reconnects when its page has the focus.
    /// </summary>
    public const string Elsewhere = "elsewhere";
    private readonly Dictionary<string, List<LiveStream>> _open = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Takes a place for a stream, until the result is disposed.</summary>
    public IDisposable Enter(string session, LiveStream stream)
    {
        lock (_lock)
        {
            if (!_open.TryGetValue(session, out var streams))
                _open[session] = streams = [];
            streams.Add(stream);
            if (streams.Count > MostPerSession)
            {
                streams[0].End(Elsewhere);
                streams.RemoveAt(0);
            }
        }
        return new Place(this, session, stream);
    }

    /// <summary>Each looks whether it has something to say.</summary>
    public void WakeAll()
    {
        lock (_lock)
            foreach (var stream in _open.Values.SelectMany(streams => streams))
                stream.Wake();
    }

    private void Leave(string session, LiveStream stream)
    {
        lock (_lock)
        {
            if (!_open.TryGetValue(session, out var streams))
                return;
            streams.Remove(stream);
            if (streams.Count == 0)
                _open.Remove(session);
        }
    }

    /// <summary>
    /// Returns a fragment as an event. Each of its lines becomes a line of data, whatever its line ends are.
    /// </summary>
    public static ReadOnlyMemory<byte> Event(long id, byte[] html)
    {
        var lines = Encoding.UTF8.GetString(html).Split(["\r\n", "\n", "\r"], StringSplitOptions.None);
        return Encoding.UTF8.GetBytes($"id: {id}\n" + string.Concat(lines.Select(line => $"data: {line}\n")) + "\n");
    }

    private sealed class Place(PageStreams streams, string session, LiveStream stream) : IDisposable
    {
        public void Dispose() => streams.Leave(session, stream);
    }
}
