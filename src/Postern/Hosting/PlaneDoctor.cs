using System.Security.Cryptography;
using System.Text;
using Postern.Access;
using Postern.Approvals;
using Postern.Http;
using Postern.Relay.Plane;
using Postern.Settings;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Hosting;

/// <summary>The doctor's lines about the joined relays, and about the triggers that they can reach.</summary>
internal static class PlaneDoctor
{
    private const int Page = 500;
    private const int Shown = 20;
    private const long ClockSeconds = 5;

    /// <summary>A line, and whether it reports a fault.</summary>
    internal sealed record Line(bool IsWrong, bool IsWeak, string Message);

    public static async IAsyncEnumerable<Line> CheckAsync(
        Database database,
        MasterKey master,
        PosternOptions options,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel
    )
    {
        var joined = await new PlaneStore(database, master).ListAsync();
        foreach (var plane in joined)
        {
            var probed = await new PlaneProbe(database, options, TimeProvider.System).TryAsync(plane, cancel);
            foreach (var line in OfRelay(plane, probed, options, database.Now))
                yield return line;
        }
        if (joined.Count == 0)
            yield break;
        await foreach (var line in PeopleAsync(joined, database, master, options))
            yield return line;
        foreach (var left in RelayClass.All.Except(options.Relay.Doors, StringComparer.Ordinal))
            yield return new(false, false, $"the doors of {left} are not relayed: Postern:Relay:Doors leaves them out");
        var triggers = new TriggerStore(database, master, new RelayedTriggers(options));
        var secrets = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        var shown = 0;
        await foreach (var trigger in WebhooksAsync(triggers))
        {
            if (triggers.Relayed.WhyNot(trigger) is { } why && shown++ < Shown)
                yield return new(false, false, $"{trigger.Name.Path} is not relayed: {why}");
            NoteSecrets(secrets, trigger, triggers.RuleOf(trigger)?.Secrets ?? []);
        }
        foreach (var sharing in secrets.Values.Where(s => s.Distinct(StringComparer.Ordinal).Count() > 1).Take(Shown))
            yield return new(
                false,
                true,
                $"{string.Join(", ", sharing.Distinct(StringComparer.Ordinal).Take(5))} have the same secret: whoever "
                    + "runs the relay could pass a message of one to another; give each its own"
            );
    }

    /// <summary>Checks who serves the page on which people answer, and whether the relays have all questions.</summary>
    private static async IAsyncEnumerable<Line> PeopleAsync(
        List<JoinedPlane> joined,
        Database database,
        MasterKey master,
        PosternOptions options
    )
    {
        var links = new ApprovalLinks(master, new ServerAddress(options), options);
        var open = joined.FirstOrDefault(p => p.Standing == JoinedPlane.Joined);
        links.AreAt(open?.Server, open?.Plane);
        if (links.PageUrl is not { } url)
        {
            yield return new(false, false, "people answer on this server's own page: nothing of a question is relayed");
            yield break;
        }
        var isOfRelay = new Uri(url).Authority == new Uri(open!.Server).Authority;
        yield return new(
            false,
            false,
            isOfRelay
                ? $"people answer at {url}, which the relay itself serves: whoever runs it could serve another script, "
                    + "and read and decide. Is it not yours? postern relay page, and Postern:Relay:PageUrl"
                : $"people answer at {url}, which is not of the relay: whoever runs that origin serves the script"
        );
        foreach (var plane in joined)
        {
            var (due, refused) = await new PageStore(database, links).CountAsync(plane.Plane);
            if (refused > 0)
                yield return new(false, true, $"{plane.Server} had no room for {refused} questions to people");
            else if (due > 0)
                yield return new(false, false, $"{due} questions to people are not told to {plane.Server} yet");
        }
    }

    /// <summary>
    /// Checks whether a relay is reached and how, who answers there, what waits, and whose clock is right.
    /// </summary>
    private static IEnumerable<Line> OfRelay(JoinedPlane plane, PlaneProbed probed, PosternOptions options, long now)
    {
        var through = options.Outbound.Proxy.Length > 0 ? $" through {options.Outbound.Proxy}" : "";
        if (probed.Fault is { } fault)
        {
            yield return new(true, false, $"{plane.Server}{through} fails at {fault.Step}: {fault.Message}");
            yield break;
        }
        yield return new(
            false,
            false,
            $"{plane.Server} takes this server as {plane.Plane}{through}; key {plane.RelayKey.Fingerprint}"
        );
        yield return TransportOf(plane, probed.TakesWebSockets, options.Relay.Transport);
        if (probed.There is not { } there)
            yield break;
        var (backlog, percent) = (there.Backlog, there.Quota.Percent(there.Backlog));
        var oldest = backlog.Oldest is { } at ? $", the oldest of {Wire.Iso(at * 1000)}" : "";
        yield return new(
            false,
            percent >= PlaneStanding.NearlyFull || !there.Held,
            $"{there.Connections} connections there, "
                + (there.Held ? "one of which answers" : "and none answers: does the server run?")
                + $"; {backlog.Envelopes} requests wait, {percent} % of what it keeps{oldest}"
        );
        var off = Math.Abs(now - (there.Time * 1000)) / 1_000_000;
        yield return new(
            false,
            off >= ClockSeconds,
            $"its clock and this one are {off} s apart"
                + (off >= ClockSeconds ? ": set the wrong one, or signed messages may be taken for old" : "")
        );
    }

    private static Line TransportOf(JoinedPlane plane, bool takesWebSockets, string transport) =>
        (takesWebSockets, transport) switch
        {
            (_, "poll") => new(false, false, $"{plane.Server} is asked by requests: Postern:Relay:Transport is poll"),
            (true, _) => new(false, false, $"{plane.Server} is reached by a WebSocket"),
            (false, "websocket") => new(
                true,
                false,
                $"no WebSocket gets through to {plane.Server}: set Postern:Relay:Transport to auto"
            ),
            _ => new(
                false,
                true,
                $"no WebSocket gets through to {plane.Server}, so it is asked by requests: let the proxy in "
                    + "between pass Upgrade on"
            ),
        };

    /// <summary>Returns every webhook trigger of every project, page by page.</summary>
    private static async IAsyncEnumerable<Trigger> WebhooksAsync(TriggerStore triggers)
    {
        for (var (project, uid) = ("", ""); ; )
        {
            var page = await triggers.WebhooksAsync(project, uid, Page);
            foreach (var trigger in page)
                yield return trigger;
            if (page.Count < Page)
                yield break;
            (project, uid) = (page[^1].Project, page[^1].Uid);
        }
    }

    /// <summary>Collects which triggers have the same secret, by the digest of the secret.</summary>
    private static void NoteSecrets(
        Dictionary<string, List<string>> noted,
        Trigger trigger,
        IEnumerable<string> secrets
    )
    {
        foreach (var secret in secrets)
        {
            var digest = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
            if (!noted.TryGetValue(digest, out var sharing))
                noted[digest] = sharing = [];
            sharing.Add(trigger.Name.Path);
        }
    }
}
