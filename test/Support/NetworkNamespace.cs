using System.Diagnostics;

namespace Postern.Support;

/// <summary>
/// A network of its own for a process, made with Linux namespaces: one wire to this machine, no route to anywhere else.
/// On a machine that forbids this, the test fails; it never passes silently.
/// </summary>
internal sealed class NetworkNamespace : IAsyncDisposable
{
    private readonly string _name;
    private readonly string _wire;

    private NetworkNamespace(string name, string wire, string outside) =>
        (_name, _wire, Outside) = (name, wire, outside);

    /// <summary>This machine's address on the wire.</summary>
    public string Outside { get; }

    public static async Task<NetworkNamespace> MakeAsync()
    {
        var number = Random.Shared.Next(1, 16_000);
        var (name, wire, inner) = ($"postern{number}", $"po{number}", $"pi{number}");
        // A network of four addresses from the range for tests of networks (RFC 2544).
        var (third, fourth) = (number / 64, number % 64 * 4);
        var made = new NetworkNamespace(name, wire, $"198.18.{third}.{fourth + 1}");
        foreach (
            var command in (string[])
                [
                    $"netns add {name}",
                    $"link add {wire} type veth peer name {inner} netns {name}",
                    $"addr add {made.Outside}/30 dev {wire}",
                    $"link set {wire} up",
                ]
        )
            await AsRootAsync("ip " + command);
        foreach (
            var command in (string[])
                [$"addr add 198.18.{third}.{fourth + 2}/30 dev {inner}", $"link set {inner} up", "link set lo up"]
        )
            await made.RunAsync("ip " + command);
        return made;
    }

    /// <summary>A program that runs another one in the namespace.</summary>
    public async Task<string> ProgramAsync(string folder, string program)
    {
        var script = Path.Combine(folder, "inside.sh");
        await File.WriteAllTextAsync(script, $"#!/bin/sh\nexec {Enter} {program} \"$@\"\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return script;
    }

    /// <summary>Runs a command in the namespace, and returns its output.</summary>
    public Task<string> RunAsync(string command) => AsRootAsync($"{Enter} {command}");

    /// <summary>Enters only the network: <c>ip netns exec</c> also mounts, which some machines forbid.</summary>
    private string Enter => $"nsenter --net=/var/run/netns/{_name}";

    public async ValueTask DisposeAsync()
    {
        // The wire first: it takes its other end along. After the namespace it may be gone, or be going.
        await AsRootAsync($"ip link del {_wire}");
        await AsRootAsync($"ip netns del {_name}");
    }

    private static async Task<string> AsRootAsync(string command)
    {
        var words = (Environment.UserName == "root" ? command : "sudo -n " + command).Split(' ', 2);
        var start = new ProcessStartInfo(words[0], words[1])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
        if (process.ExitCode != 0)
            throw new InvalidOperationException(
                $"This test needs a network namespace, and this machine gives none: {command}: {await error}"
            );
        return await output;
    }
}
