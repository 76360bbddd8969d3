using System.CommandLine;
using Postern.Http;
using Postern.Relay.Plane;

namespace Postern.Hosting;

/// <summary>The commands <c>postern plane</c>: join a relay, and manage the joined ones.</summary>
internal static class PlaneCommands
{
    private static readonly Option<string?> Relay = new("--relay")
    {
        Description = "Which of the relays, where several were joined",
        HelpName = "rly_…",
    };

    public static Command Plane()
    {
        var code = new Argument<string>("code") { Description = "What postern relay enrol has printed" };
        var name = new Option<string>("--name")
        {
            Description = "What the relay's administrator sees",
            DefaultValueFactory = _ => Environment.MachineName,
        };
        var join = new Command(
            "join",
            "Join a relay by a code: its public URL leads here from then on.\n\nExample: postern plane join "
                + "'https://relay.example/#prc_…'"
        )
        {
            code,
            name,
        };
        join.SetAction(
            (parsed, cancel) =>
                Toolbox.WithAsync(
                    Commands.Serving(parsed),
                    cancel,
                    tools => JoinAsync(tools, parsed.GetValue(code)!, parsed.GetValue(name)!, cancel)
                )
        );
        var status = new Command(
            "status",
            "Show the relays that were joined, and whether each takes this server.\n\nExample: postern plane status"
        );
        status.SetAction(
            (parsed, cancel) => Toolbox.WithAsync(Commands.Serving(parsed), cancel, tools => StatusAsync(tools, cancel))
        );
        var rotate = new Command("rotate", "Make the keys of this server anew.\n\nExample: postern plane rotate")
        {
            Relay,
        };
        rotate.SetAction(
            (parsed, cancel) =>
                Toolbox.WithAsync(
                    Commands.Serving(parsed),
                    cancel,
                    async tools =>
                    {
                        var plane = await OneAsync(tools, parsed.GetValue(Relay));
                        await TryAsync(() => tools.Enrolment.RotateAsync(plane, cancel));
                        Terminal.WriteLine($"{plane.Relay} knows the new keys of {plane.Plane}");
                    }
                )
        );
        var leave = new Command("leave", "Leave a relay: its URL ends.\n\nExample: postern plane leave") { Relay };
        leave.SetAction(
            (parsed, cancel) =>
                Toolbox.WithAsync(
                    Commands.Serving(parsed),
                    cancel,
                    async tools =>
                    {
                        var plane = await OneAsync(tools, parsed.GetValue(Relay));
                        var why = await tools.Enrolment.LeaveAsync(plane, cancel);
                        var untold = why is null ? "" : $", which was not told: {why}. Revoke {plane.Plane} there";
                        Terminal.WriteLine($"left {plane.Relay}{untold}");
                    }
                )
        );
        return new Command("plane", "Join a relay, which makes doors of this server public.")
        {
            join,
            status,
            rotate,
            leave,
        };
    }

    /// <summary>Joins by a code, or finds the joined relay with that URL.</summary>
    public static async Task<JoinedPlane> JoinAsync(
        PlaneEnrolment enrolment,
        PlaneStore store,
        string codeOrUrl,
        string name,
        CancellationToken cancel
    )
    {
        if (codeOrUrl.Contains('#', StringComparison.Ordinal))
            return await TryAsync(() => enrolment.JoinAsync(codeOrUrl, name, cancel));
        return (await store.ListAsync()).FirstOrDefault(p => p.Server.TrimEnd('/') == codeOrUrl.TrimEnd('/'))
            ?? throw new SetupException($"{codeOrUrl} was not joined: give the code of postern relay enrol.");
    }

    private static async Task JoinAsync(Toolbox tools, string code, string name, CancellationToken cancel)
    {
        var plane = await JoinAsync(tools.Enrolment, tools.Planes, code, name, cancel);
        Terminal.WriteLine(
            $"""
            joined {plane.Relay} as {plane.Plane}
            its key {plane.RelayKey.Fingerprint} is pinned
            doors are at {plane.Url}
            """
        );
    }

    private static async Task StatusAsync(Toolbox tools, CancellationToken cancel)
    {
        var joined = await tools.Planes.ListAsync();
        if (joined.Count == 0)
            Terminal.WriteLine($"no relay was joined");
        foreach (var plane in joined)
        {
            var (fault, there, _) = await tools.Probe.TryAsync(plane, cancel);
            var state = fault is null ? "takes this server" : $"{fault.Step}: {fault.Message}";
            var open = there is null ? "" : $"  {there.Connections} connected, {there.Backlog.Envelopes} stored";
            Terminal.WriteLine(
                $"{plane.Relay}  {plane.Plane}  {plane.Url}  joined {Wire.Iso(plane.JoinedAt)}  {state}{open}"
            );
        }
    }

    private static async Task<JoinedPlane> OneAsync(Toolbox tools, string? relay)
    {
        var joined = await tools.Planes.ListAsync();
        return joined.Where(p => relay is null || p.Relay == relay).ToList() switch
        {
            [var one] => one,
            [] => throw new SetupException(relay is null ? "No relay was joined." : $"{relay} was not joined."),
            _ => throw new SetupException("Several relays were joined: name one with --relay."),
        };
    }

    private static async Task<T> TryAsync<T>(Func<Task<T>> act)
    {
        try
        {
            return await act();
        }
        catch (RelayRefusedException refused)
        {
            throw new SetupException($"The relay ({refused.Step}): {refused.Message}.");
        }
    }

    private static Task TryAsync(Func<Task> act) =>
        TryAsync(async () =>
        {
            await act();
            return true;
        });
}
