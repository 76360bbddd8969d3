using System.Text.RegularExpressions;
using Postern.Access;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Every door that a key or the console opens is asked once, its lists and pages too, and no statement of it goes
/// through a table that grows, or through all rows that a project has in it, without a limit. A new door is tried
/// without anyone adding it.
/// </summary>
public sealed partial class DoorPlanTests
{
    /// <summary>Tables that grow with use. What is left out has a bound of some hundred rows in a project.</summary>
    private static readonly string[] Large =
    [
        "session",
        "record",
        "message",
        "message_piece",
        "participant",
        "run",
        "run_event",
        "run_data",
        "run_attempt",
        "run_request",
        "capture",
        "capture_key",
        "delivery",
        "delivery_attempt",
        "event",
        "approval",
        "audit",
        "metric",
        "bulk_job",
        "bulk_skip",
        "used_token",
        "revocation",
        "console_session",
        "console_once",
        "relay_envelope",
        "joined_page",
    ];

    /// <summary>The captures of one trigger, whose retention bounds them, when the trigger is deleted.</summary>
    private static readonly string[] Known = ["DELETE FROM capture WHERE project = $1 AND trigger_uid = $2"];

    [Fact]
    public async Task No_statement_of_any_door_goes_through_a_table_that_grows()
    {
        await using var world = await TimeWorld.StartAsync(Backend.Sqlite);
        var doors = world.Server.Doors.Table.Where(d => (d.Credentials & (Credentials.Key | Credentials.Console)) != 0);
        var scene = new TimeScene(world);
        var asked = 0;
        foreach (var door in doors)
        {
            await AskAsync(world, door, await PrepareAsync(door, scene));
            asked++;
        }
        Assert.True(asked > 150, $"the doors were found: {asked}");
        // An index with a condition holds the few that are open.
        var partial = await world.Server.Database.ReadAsync(tx =>
            tx.ListAsync(
                "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'",
                r => r.GetString(0)
            )
        );
        var faults = new List<string>();
        foreach (var sql in world.Statements.Keys.Where(s => !s.Contains("LIMIT", StringComparison.Ordinal)))
        {
            var numbers = Parameter().Matches(sql).Select(m => int.Parse(m.Groups[1].Value)).DefaultIfEmpty(0).Max();
            var plan = await world.Server.Database.ReadAsync(tx =>
                tx.ListAsync("EXPLAIN QUERY PLAN " + sql, r => r.GetString(3), new object?[numbers])
            );
            var names = NamesIn(sql);
            faults.AddRange(
                plan.Where(line =>
                        Step().Match(line) is { Success: true } step
                        && names.Contains(step.Groups["table"].Value)
                        && !partial.Contains(step.Groups["index"].Value)
                        && !Known.Contains(sql)
                    )
                    .Select(line => $"{line}\n  {sql}")
            );
        }
        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    private static async Task<DoorRequest> PrepareAsync(Door door, TimeScene scene)
    {
        try
        {
            return await DoorRequests.OfAsync(door, scene);
        }
        catch (Exception fault) when (fault is not InvalidOperationException)
        {
            return await DoorRequests.OfAsync(door, new TimeScene(scene.World));
        }
    }

    private static async Task AskAsync(TimeWorld world, Door door, DoorRequest request)
    {
        var isPage = door.Credentials.HasFlag(Credentials.Console);
        var cookie = isPage
            ? (await ConsoleCookie.OfAsync(world.Server, "admin", "write:approvals", "read:approvals")).Cookie
            : null;
        using var message = new HttpRequestMessage(
            new HttpMethod(door.Method == Door.AnyMethod ? "POST" : door.Method),
            request.Path
        );
        if (message.Method != HttpMethod.Get)
        {
            message.Content = new ByteArrayContent(
                cookie is null
                    ? request.Bytes
                    : System.Text.Encoding.UTF8.GetBytes(cookie.Form(request.Body as string ?? ""))
            );
            message.Content.Headers.TryAddWithoutValidation("Content-Type", request.Media);
        }
        (string Name, string Value)[] credential = cookie is null
            ? [("Authorization", "Bearer " + world.Server.RootKey)]
            : cookie.Headers;
        foreach (var (name, value) in credential.Concat(request.Headers))
            message.Headers.TryAddWithoutValidation(name, value);
        // A stream has asked for all that it asks for when its headers are there.
        using var answer = await world.Server.Http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
        Assert.True((int)answer.StatusCode is < 500 or 501, $"{door.Method} {door.Path}: {answer.StatusCode}");
    }

    /// <summary>The large tables of a statement, by the names that it gives them.</summary>
    private static HashSet<string> NamesIn(string sql)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (Match match in Named().Matches(sql))
        {
            if (!Large.Contains(match.Groups["table"].Value, StringComparer.Ordinal))
                continue;
            names.Add(match.Groups["table"].Value);
            names.Add(match.Groups["alias"].Value);
        }
        return names;
    }

    [GeneratedRegex(
        @"\b(?:FROM|JOIN|UPDATE|INTO)\s+(?<table>\w+)(?:\s+(?:AS\s+)?(?<alias>[a-z_]+)\b)?",
        RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000
    )]
    private static partial Regex Named();

    /// <summary>All rows, or all of a project.</summary>
    [GeneratedRegex(
        @"^(SCAN|SEARCH) (?<table>\w+)( USING [A-Z ]*(INDEX (?<index>\w+)|PRIMARY KEY))?( \(project=\?\))?$",
        RegexOptions.ExplicitCapture
    )]
    private static partial Regex Step();

    [GeneratedRegex(@"\$(\d+)")]
    private static partial Regex Parameter();
}
