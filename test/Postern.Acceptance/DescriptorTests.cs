using System.Net;
using System.Net.Sockets;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>More connections than the process may have descriptors.</summary>
public sealed class DescriptorTests
{
    [Fact]
    public async Task Connections_of_nobody_do_not_end_the_server()
    {
        var folder = Directory.CreateTempSubdirectory("postern-descriptors-");
        await using (var server = await ServerProcess.StartAsync(
            $"--data \"{folder.FullName}\" --urls http://127.0.0.1:0 --dev",
            new Dictionary<string, string> { [PosternCommand.Descriptors] = "512" }))
        {
            var address = new IPEndPoint(IPAddress.Loopback, new Uri(server.Url).Port);
            var idle = new List<Socket>();
            for (var i = 0; i < 800; i++)
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                idle.Add(socket);
                await socket.ConnectAsync(address);
            }
            using (var kept = Process(server)) Assert.False(kept.HasExited);
            foreach (var socket in idle) socket.Close(0);
            using var client = server.Client(server.RootKey);
            await WaitFor.TrueAsync(async () =>
            {
                try
                {
                    return (await client.PostAsync("/api/v1/runs", new StringContent("{\"agent\":\"echo\"}"))).IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    // Those that were closed still have their places.
                    return false;
                }
            });
        }
        folder.Delete(recursive: true);
    }

    private static System.Diagnostics.Process Process(ServerProcess server) =>
        System.Diagnostics.Process.GetProcessById(server.Id);
}
