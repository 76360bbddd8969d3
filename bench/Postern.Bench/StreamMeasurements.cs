using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postern.Bench;

/// <summary>What open streams cost, and how soon the last of many hears.</summary>
internal static class StreamMeasurements
{
    private const int Idle = 5000;
    private const int Listeners = 1000;
    private const int Appends = 100;

    public static async Task RunAsync(string folder)
    {
        await using var server = await Child.StartAsync($"serve {folder}/data", Measurements.NoLimits);
        using var http = Measurements.Client(server, server.RootKey);
        await Measurements.StartSessionAsync(http, "many");
        for (var i = 0; i < 50; i++)
            await Measurements.StartSessionAsync(http, "idle" + i);
        var port = new Uri(server.Url).Port;

        // What the process has touched once by serving is not what streams cost.
        var warm = await OpenAsync(port, server.RootKey, 300, _ => "idle0");
        Close(warm);
        await Task.Delay(3000);
        var before = server.ResidentKib();
        var idle = await OpenAsync(port, server.RootKey, Idle, i => "idle" + (i % 50));
        await Task.Delay(8000);
        var after = server.ResidentKib();
        Measurements.Say(
            $"{Idle:#,0} idle streams, resident each",
            (after - before) / (double)Idle,
            "KiB",
            "target < 12 KiB"
        );
        Close(idle);
        await File.WriteAllBytesAsync($"{folder}/bytes", []);
        await using (var bare = await Child.StartAsync($"bare {folder}/bytes"))
        {
            var barePort = new Uri(bare.Url).Port;
            Close(await OpenAsync(barePort, "", 300, _ => ""));
            await Task.Delay(3000);
            before = bare.ResidentKib();
            var open = await OpenAsync(barePort, "", Idle, _ => "");
            await Task.Delay(8000);
            Measurements.Say("the same from a bare endpoint", (bare.ResidentKib() - before) / (double)Idle, "KiB");
            Close(open);
        }

        var listeners = await OpenAsync(port, server.RootKey, Listeners, _ => "many");
        var times = new List<double>();
        using var body = new ByteArrayContent(Encoding.UTF8.GetBytes(new string('x', 200)));
        for (var n = 0; n < Appends; n++)
        {
            var heard = Task.WhenAll(listeners.Select(HearAsync));
            var watch = Stopwatch.StartNew();
            using var content = new StringContent(new string('x', 200));
            (await http.PostAsync("/realtime/v1/sessions/many/out/append", content)).EnsureSuccessStatusCode();
            await heard;
            times.Add(watch.Elapsed.TotalMilliseconds);
        }
        times.Sort();
        Measurements.Say(
            $"one append to {Listeners:#,0} streams, the last hears, p99",
            times[^2],
            "ms",
            "target < 100 ms"
        );
        Measurements.Say("median", times[times.Count / 2], "ms");
        Close(listeners);
    }

    internal static async Task<List<Socket>> OpenAsync(int port, string key, int count, Func<int, string> session)
    {
        var sockets = new List<Socket>(count);
        var buffer = new byte[4096];
        for (var i = 0; i < count; i++)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, port);
            await socket.SendAsync(
                Encoding.ASCII.GetBytes(
                    $"GET {(key.Length == 0 ? "/idle" : $"/realtime/v1/sessions/{session(i)}/out")} HTTP/1.1\r\n"
                        + $"Host: localhost\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n"
                        + "Timeout-Seconds: 600\r\nX-Trigger-Stream-Start: latest\r\n\r\n"
                )
            );
            var read = await socket.ReceiveAsync(buffer);
            if (!Encoding.ASCII.GetString(buffer, 0, read).StartsWith("HTTP/1.1 200", StringComparison.Ordinal))
                throw new InvalidOperationException("a stream was refused");
            sockets.Add(socket);
        }
        await Task.Delay(500);
        return sockets;
    }

    /// <summary>Until a record has come; heartbeats do not count.</summary>
    internal static async Task HearAsync(Socket socket)
    {
        var buffer = new byte[4096];
        while (true)
        {
            var read = await socket.ReceiveAsync(buffer);
            if (read == 0)
                throw new InvalidOperationException("a stream ended");
            if (buffer.AsSpan(0, read).IndexOf("event: batch"u8) >= 0)
                return;
        }
    }

    internal static void Close(List<Socket> sockets)
    {
        foreach (var socket in sockets)
            socket.Dispose();
    }
}
