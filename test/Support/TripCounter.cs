using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postern.Support;

/// <summary>
/// Stands between a node and its PostgreSQL, on loopback, and records what the node sends, one round trip at a time. It
/// reads the protocol as far as necessary. A round trip ends with a message <c>Sync</c>, or is a message <c>Query</c>,
/// except a <c>BEGIN</c>, which the driver sends with what follows it.
/// </summary>
internal sealed class TripCounter : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _target;
    private readonly ConcurrentQueue<(int Connection, string Sent)> _trips = new();
    private int _connections;

    public TripCounter(int target)
    {
        _target = target;
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public void Clear() => _trips.Clear();

    /// <summary>Counts the round trips that contain one of the texts, and all others of their transactions.</summary>
    public int CountAbout(params string[] texts)
    {
        var found = 0;
        foreach (var connection in _trips.GroupBy(t => t.Connection, t => t.Sent))
        {
            // The round trips of an open transaction.
            var open = new List<string>();
            // The messages to other nodes, after a commit and outside of requests, also contain the names.
            foreach (var sent in connection.Where(s => !s.Contains("hint_log", StringComparison.Ordinal)))
            {
                if (sent.Contains("BEGIN", StringComparison.Ordinal))
                    open.Clear();
                open.Add(sent);
                var ends = open.Count == 1 && !sent.Contains("BEGIN", StringComparison.Ordinal);
                if (!ends && !sent.Contains("COMMIT\0", StringComparison.Ordinal))
                    continue;
                if (open.Exists(o => Array.Exists(texts, t => o.Contains(t, StringComparison.Ordinal))))
                    found += open.Count;
                open.Clear();
            }
        }
        return found;
    }

    public void Dispose() => _listener.Stop();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync();
                var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await server.ConnectAsync(IPAddress.Loopback, _target);
                _ = PumpAsync(client, server, new Reader(Interlocked.Increment(ref _connections), _trips));
                _ = PumpAsync(server, client, null);
            }
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static async Task PumpAsync(Socket from, Socket to, Reader? reader)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            int read;
            while ((read = await from.ReceiveAsync(buffer)) > 0)
            {
                reader?.Take(buffer.AsSpan(0, read));
                await to.SendAsync(buffer.AsMemory(0, read));
            }
            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // One side has gone.
        }
    }

    /// <summary>Splits what a client sends into messages: a type, a length and a content.</summary>
    private sealed class Reader(int connection, ConcurrentQueue<(int, string)> trips)
    {
        private readonly List<byte> _held = [];
        private readonly StringBuilder _trip = new();
        private bool _hasBegun;

        public void Take(ReadOnlySpan<byte> bytes)
        {
            _held.AddRange(bytes);
            while (TakeOne()) { }
        }

        private bool TakeOne()
        {
            // Until the server has answered the first message, messages have no type: a request for TLS, the start.
            var type = _hasBegun ? 1 : 0;
            if (_held.Count < type + 4)
                return false;
            var all = _held.ToArray().AsSpan();
            var length = type + BinaryPrimitives.ReadInt32BigEndian(all[type..]);
            if (_held.Count < length)
                return false;
            if (_hasBegun)
                Note((char)all[0], Encoding.UTF8.GetString(all[(type + 4)..length]));
            else
                // Version 3.0 of the protocol: the start. Earlier messages only ask.
                _hasBegun = BinaryPrimitives.ReadInt32BigEndian(all[4..]) == 3 << 16;
            _held.RemoveRange(0, length);
            return true;
        }

        private void Note(char type, string text)
        {
            _trip.Append(text).Append('\n');
            if (type is not ('S' or 'Q') || (type == 'Q' && text.StartsWith("BEGIN", StringComparison.Ordinal)))
                return;
            trips.Enqueue((connection, _trip.ToString()));
            _trip.Clear();
        }
    }
}
