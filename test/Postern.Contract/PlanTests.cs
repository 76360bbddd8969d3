using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Npgsql;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Every statement of ordinary work finds its rows by an index, however many there are: none reads a whole table, or
/// all rows of a project. The statements are recorded from a working server, so a new statement is checked
/// automatically.
/// </summary>
public sealed partial class PlanTests
{
    private const int Rows = 1_000_000;

    [Fact]
    public async Task No_statement_of_the_work_goes_through_all_rows_on_SQLite()
    {
        RecordingDatabase recording = null!;
        await using var server = await TestServer.StartAsync(wrap: inner => recording = new RecordingDatabase(inner));
        await WorkAsync(server, recording);
        var faults = new List<string>();
        foreach (var sql in recording.Statements.Keys)
        {
            var numbers = Parameter().Matches(sql).Select(m => int.Parse(m.Groups[1].Value)).DefaultIfEmpty(0).Max();
            var plan = await server.Database.ReadAsync(tx =>
                tx.ListAsync("EXPLAIN QUERY PLAN " + sql, r => r.GetString(3), new object?[numbers])
            );
            faults.AddRange(plan.Where(line => Everything().IsMatch(line)).Select(line => $"{line}\n  {sql}"));
        }
        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    /// <summary>PostgreSQL chooses by how many rows there are, so there are a million of each kind.</summary>
    [Fact]
    public async Task No_statement_of_the_work_goes_through_all_rows_on_PostgreSQL()
    {
        var connectionString = PostgresServer.NewDatabase();
        var key = "";
        var statements = await RecordAsync(
            connectionString,
            (server, recording) =>
            {
                key = server.RootKey;
                return WorkAsync(server, recording);
            }
        );
        await FillAsync(connectionString);
        // A caller's filters are tried on the million: the statement contains the limit of a stretch.
        var lists = await RecordAsync(
            connectionString,
            async (server, _) =>
            {
                foreach (var list in Lists)
                    Assert.Equal((list, 200), (list, (await server.GetAsync(list, key)).Status));
            }
        );
        await using var source = NpgsqlDataSource.Create(connectionString);
        var faults = new List<string>();
        foreach (var (sql, args) in statements.Where(s => !IsOfAList(s.Key)).Concat(lists).Where(s => !Counts(s.Key)))
        {
            foreach (var plan in await PlansAsync(source, sql, args))
                faults.AddRange(
                    Faults(plan).Select(line => $"{line}\n  {sql}\n    {plan.ReplaceLineEndings("\n    ")}")
                );
        }
        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    private static async Task<IReadOnlyDictionary<string, object?[]>> RecordAsync(
        string connectionString,
        Func<TestServer, RecordingDatabase, Task> work
    )
    {
        RecordingDatabase recording = null!;
        await using var server = await TestServer.StartAsync(
            Backend.Postgres,
            postgres: connectionString,
            wrap: inner => recording = new RecordingDatabase(inner)
        );
        await work(server, recording);
        return recording.Statements;
    }

    private static bool IsOfAList(string sql) => sql.Contains("FROM event WHERE project", StringComparison.Ordinal);

    /// <summary>The end of a stretch is so many rows of an index away, and no more.</summary>
    private static bool Counts(string sql) => sql.Contains("LIMIT 1 OFFSET", StringComparison.Ordinal);

    /// <summary>Everything that the server does in ordinary work, at least once.</summary>
    private static async Task WorkAsync(TestServer server, RecordingDatabase recording)
    {
        await using var receiver = await Receiver.StartAsync();
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/all",
            server.RootKey,
            new { url = receiver.Origin, events = new[] { "*" } }
        );
        await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/called",
            server.RootKey,
            new
            {
                kind = "http",
                url = receiver.Url,
                concurrency = 5,
            }
        );
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        receiver.Answers = n => n % 3 == 0 ? (500, "") : (200, "");
        recording.Statements.Clear();

        await server.StartSessionAsync("s");
        await server.SayAsync("s", "hello");
        foreach (var agent in (string[])["echo", "called", "p"])
            await server.PostAsync(
                "/api/v1/runs",
                new
                {
                    agent,
                    idempotencyKey = agent,
                    callback = new { url = receiver.Url },
                }
            );
        var claimed = (await server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 5 }))
            .Json.GetProperty("data")[0]
            .GetProperty("run")
            .GetProperty("id")
            .GetString();
        await server.PostAsync($"/api/v1/runs/{claimed}/heartbeat", null);
        await server.PostAsync(
            $"/api/v1/runs/{claimed}/status",
            new
            {
                status = "failed",
                eventId = "e",
                failure = new { code = "x" },
                artifacts = new { a = 1 },
            }
        );
        await server.PostAsync($"/api/v1/runs/{claimed}/retry", new { clientRequestId = "r" });
        foreach (var agent in (string[])["echo", "called", "p"])
        {
            await server.PostAsync(
                $"/api/triggers/user/u/{agent}",
                new
                {
                    agent,
                    promptTemplate = "{{body}}",
                    sessionMode = "perTrigger",
                }
            );
            for (var i = 0; i < 2; i++)
                await server.SendAsync(
                    HttpMethod.Post,
                    $"/inbound/user/u/{agent}",
                    null,
                    "{}",
                    ("Idempotency-Key", "k" + i)
                );
        }
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/triggers/user/u/echo/requests?status=success"))
                .Json.GetProperty("data")
                .GetProperty("requests")
                .GetArrayLength() == 2
        );
        var asking = await Asking.PrepareAsync(server);
        var asked = new List<(string Run, string Token, string Request)>();
        for (var i = 0; i < 3; i++)
            asked.Add(
                await asking.WaitingAsync(
                    new
                    {
                        title = "q",
                        expires_in_hours = 0.01,
                        callback_url = receiver.Url,
                    }
                )
            );
        await asking.DecideAsync(asked[0].Request, "approved");
        await server.PostAsync(
            $"/api/v1/executions/{asked[1].Run}/approval-response",
            new { decision = "rejected" },
            await asking.DeciderAsync()
        );
        await server.PostAsync(
            $"/api/v1/executions/{asked[2].Run}/request-approval",
            new
            {
                title = "q",
                expires_in_hours = 0.01,
                callback_url = receiver.Url,
            },
            asked[2].Token
        );
        await server.SendAsync(HttpMethod.Get, await asking.LinkAsync(asked[2].Request));
        await server.PostAsync("/api/v1/sessions/s/close", new { });
        server.Clock.Advance(TimeSpan.FromSeconds(70));
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/events?type=run.succeeded")).Json.GetProperty("data").GetArrayLength() >= 2
        );
        Assert.True(recording.Statements.Count > 80, $"{recording.Statements.Count} statements were seen");
    }

    private static readonly string[] Lists =
    [
        "/api/v1/sessions?filter[tags]=none",
        "/api/v1/sessions?filter[type]=none&filter[status]=EXPIRED",
        "/api/v1/runs?phase=failed&tag=none",
        "/api/v1/runs?agent=none",
        "/api/v1/runs?session=none",
        "/api/v1/approvals?status=pending",
        "/api/v1/approvals?agent=none",
        "/api/v1/deliveries?status=dead",
        "/api/v1/deliveries?subject=none",
        "/api/v1/deliveries?endpoint=none",
        "/api/v1/events?type=none",
        "/api/v1/audit",
        "/api/v1/audit?reason=none&at=2026-01-01..2026-02-01",
        "/api/v1/audit?actor=none",
        "/api/v1/audit?address=none&action=none",
        "/api/v1/audit?trigger=none",
        "/api/v1/audit?id=aud_01kb3zq0v5e2xr8d7m4n6t9w1c",
    ];

    private static readonly string[] Large =
    [
        "session",
        "run",
        "record",
        "message",
        "run_event",
        "event",
        "delivery",
        "capture",
        "approval",
    ];

    /// <summary>Fills the large tables, and builds their indexes when they are full: that is much faster.</summary>
    private static async Task FillAsync(string connectionString)
    {
        var patient = connectionString + ";Command Timeout=300";
        await using var source = NpgsqlDataSource.Create(patient);
        var tables = string.Join(", ", Large.Select(t => $"'{t}'"));
        var indexes = await LinesAsync(
            source,
            $"""
            SELECT i.indexname || '|' || i.indexdef FROM pg_indexes i
            WHERE i.tablename IN ({tables}) AND NOT EXISTS (
              SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)
            """
        );
        foreach (var index in indexes)
            await LinesAsync(source, "DROP INDEX " + index.Split('|')[0]);
        foreach (var table in Large)
            await LinesAsync(source, $"ALTER TABLE {table} SET UNLOGGED");
        await CopyAsync(patient);
        foreach (var index in indexes)
            await LinesAsync(source, index.Split('|')[1]);
        await LinesAsync(source, "VACUUM ANALYZE");
    }

    private static async Task CopyAsync(string connectionString)
    {
        await using var database = new PostgresDatabase(connectionString, TimeProvider.System);
        var (id, none) = (("id", "template.id || '_' || n"), "NULL");
        await Task.WhenAll(
            Crowd.CopyAsync(
                database,
                "session",
                "external_id = 's'",
                Rows,
                id,
                ("external_id", none),
                ("session_key", "'key' || n"),
                ("created_at", "template.created_at - n")
            ),
            Crowd.CopyAsync(
                database,
                "run",
                "ended_at IS NOT NULL AND session IS NOT NULL",
                Rows,
                id,
                ("session", "template.session || n / 10"),
                ("created_at", "template.created_at - n")
            ),
            Crowd.CopyAsync(
                database,
                "record",
                "seq = 0",
                Rows,
                ("session", "template.session || n % 1000"),
                ("seq", "n"),
                ("part_id", none)
            ),
            Crowd.CopyAsync(
                database,
                "message",
                "seq = 1",
                Rows,
                ("session", "template.session || n % 1000"),
                ("seq", "n"),
                ("idempotency_key", none),
                ("client_id", none)
            ),
            Crowd.CopyAsync(
                database,
                "run_event",
                "seq = 1",
                Rows,
                ("run", "template.run || '_' || n / 10"),
                ("seq", "n % 10"),
                ("event_id", none)
            ),
            Crowd.CopyAsync(
                database,
                "event",
                "position > 0",
                Rows,
                id,
                ("subject", "template.subject || n / 4"),
                ("position", "n")
            ),
            Crowd.CopyAsync(
                database,
                "delivery",
                "status = 'delivered'",
                Rows,
                id,
                ("subject", "template.subject || n / 4"),
                ("place", "n")
            ),
            Crowd.CopyAsync(
                database,
                "capture",
                "ended_at IS NOT NULL",
                Rows,
                id,
                ("trigger_uid", "template.trigger_uid || n / 1000"),
                ("session", "template.session || n")
            ),
            Crowd.CopyAsync(
                database,
                "approval",
                "status = 'approved'",
                Rows,
                id,
                ("run", "template.run || n"),
                ("link_digest", none)
            )
        );
    }

    private static async Task<List<string>> LinesAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var lines = new List<string>();
        while (await reader.ReadAsync())
            lines.Add(reader.GetString(0));
        return lines;
    }

    /// <summary>
    /// The plan for these values, and the one that the database keeps of a prepared statement, for any values.
    /// </summary>
    private static async Task<string[]> PlansAsync(NpgsqlDataSource source, string sql, object?[] args)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var command = new NpgsqlCommand("EXPLAIN " + sql, connection);
        foreach (var arg in args)
            command.Parameters.Add(new NpgsqlParameter { Value = arg is int n ? (long)n : arg ?? DBNull.Value });
        var ofValues = await LinesAsync(command);
        var types = args.Length == 0 ? "" : $"({string.Join(", ", args.Select(TypeOf))})";
        var values = args.Length == 0 ? "" : $"({string.Join(", ", args.Select(LiteralOf))})";
        await using var any = new NpgsqlCommand(
            $"SET plan_cache_mode = force_generic_plan; PREPARE any_values {types} AS {sql}",
            connection
        );
        await any.ExecuteNonQueryAsync();
        any.CommandText = $"EXPLAIN EXECUTE any_values {values}";
        var ofAny = await LinesAsync(any);
        any.CommandText = "DEALLOCATE ALL; RESET ALL";
        await any.ExecuteNonQueryAsync();
        return [ofValues, ofAny];
    }

    private static async Task<string> LinesAsync(NpgsqlCommand command)
    {
        await using var reader = await command.ExecuteReaderAsync();
        var lines = new StringBuilder();
        while (await reader.ReadAsync())
            lines.AppendLine(reader.GetString(0));
        return lines.ToString();
    }

    private static string TypeOf(object? arg) =>
        arg switch
        {
            long or int => "bigint",
            string => "text",
            byte[] => "bytea",
            long[] => "bigint[]",
            string?[] => "text[]",
            byte[][] => "bytea[]",
            _ => "unknown",
        };

    private static string LiteralOf(object? arg) =>
        arg switch
        {
            long or int => string.Create(CultureInfo.InvariantCulture, $"{arg}"),
            string text => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'",
            byte[] bytes => $"'\\x{Convert.ToHexString(bytes)}'",
            System.Collections.IEnumerable many =>
                $"ARRAY[{string.Join(", ", many.Cast<object?>().Select(LiteralOf))}]::{TypeOf(arg)}",
            _ => "NULL",
        };

    /// <summary>
    /// The expensive parts of a plan that read a large table, or find its rows only by the project. An index of the few
    /// open turns is cheap.
    /// </summary>
    private static IEnumerable<string> Faults(string plan)
    {
        var cost = 0.0;
        foreach (var line in plan.Split('\n'))
        {
            if (Cost().Match(line) is { Success: true } found)
                cost = double.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture);
            if (cost > 1000 && (WholeTable().IsMatch(line) || WholeProject().IsMatch(line)))
                yield return line;
        }
    }

    [GeneratedRegex(@"cost=[\d.]+\.\.([\d.]+) ")]
    private static partial Regex Cost();

    [GeneratedRegex(@"\$(\d+)")]
    private static partial Regex Parameter();

    /// <summary>A large table gone through, or found by its project alone.</summary>
    [GeneratedRegex(
        @"^(SCAN|SEARCH) (session|record|message|run|run_event|run_data|run_attempt|run_request|capture|"
            + @"capture_key|delivery|delivery_attempt|approval)"
            + @"( USING [A-Z ]*(INDEX \w+|PRIMARY KEY))?( \(project=\?\))?$"
    )]
    private static partial Regex Everything();

    [GeneratedRegex(@"Seq Scan on (session|record|message|run|run_event|event|delivery|capture|approval)\b")]
    private static partial Regex WholeTable();

    [GeneratedRegex(@"Index Cond: \(project = ('[^']*'::text|\$\d+)\)\s*$")]
    private static partial Regex WholeProject();
}
