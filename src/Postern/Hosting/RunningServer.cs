using System.Net.Sockets;
using System.Text;

namespace Postern.Hosting;

/// <summary>
/// Whether a server of Postern answers at an address. Beside a database server no file says that one runs.
/// </summary>
internal static class RunningServer
{
    private const int MostOfAnswer = 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public static async Task<bool> AnswersAtAsync(string url, CancellationToken cancel)
    {
        var address = BindingAddress.Parse(url);
        if (address.IsUnixPipe)
            return false;
        // An address that stands for all cannot be asked; the loopback is one of them.
        var host = address.Host is "0.0.0.0" or "*" or "+" ? "127.0.0.1" : address.Host;
        using var within = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        within.CancelAfter(Patience);
        try
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(host.Trim('[', ']'), address.Port, within.Token);
            await using var stream = socket.GetStream();
            var asked = $"GET /healthz HTTP/1.1\r\nHost: {address.Host}\r\nConnection: close\r\n\r\n";
            await stream.WriteAsync(Encoding.ASCII.GetBytes(asked), within.Token);
            var answer = new byte[MostOfAnswer];
            var read = await stream.ReadAtLeastAsync(answer, MostOfAnswer, throwOnEndOfStream: false, within.Token);
            return Encoding.UTF8.GetString(answer, 0, read).Contains("\"schema\":", StringComparison.Ordinal);
        }
        catch (Exception fault)
            when (fault is SocketException or IOException
                || (within.IsCancellationRequested && !cancel.IsCancellationRequested)
            )
        {
            return false;
        }
    }
}
