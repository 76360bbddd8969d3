using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>The program as a person uses it: first start, commands besides the server, backup, and stopping.</summary>
public sealed class CommandTests : IDisposable
{
    private static readonly Dictionary<string, string> None = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-commands-").FullName;

    private string Data => Path.Combine(_folder, "data");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Task<ServerProcess> ServeAsync(Dictionary<string, string>? environment = null) =>
        ServerProcess.StartAsync($"--data {Data} --urls http://127.0.0.1:0", environment ?? None);

    [Fact]
    public async Task The_first_start_prints_the_root_key_and_three_commands_that_work_as_pasted_and_no_later_one_does()
    {
        string key;
        await using (var first = await ServeAsync())
        {
            key = first.RootKey;
            // Once, because containers store the output.
            Assert.Equal(2, first.Output.Split("pst_root_").Length);
            var export = first
                .Output.Split('\n')
                .Select(l => l.Trim())
                .Single(l => l.StartsWith("export ", StringComparison.Ordinal));
            var commands = first
                .Output.Split('\n')
                .Select(l => l.Trim())
                .Where(l => l.StartsWith("curl ", StringComparison.Ordinal))
                .ToList();
            Assert.Equal(3, commands.Count);
            string[] says = ["\"publicAccessToken\":", "{\"ok\":true,\"seq\":0}", "turn-complete"];
            for (var i = 0; i < 3; i++)
            {
                using var shell = Process.Start(
                    new ProcessStartInfo("bash", ["-c", export + "\n" + commands[i]]) { RedirectStandardOutput = true }
                )!;
                Assert.Contains(says[i], await shell.StandardOutput.ReadToEndAsync(), StringComparison.Ordinal);
                await shell.WaitForExitAsync();
                Assert.Equal(0, shell.ExitCode);
            }
            Assert.Equal(
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
                File.GetUnixFileMode(Data)
            );
            foreach (var file in Directory.GetFiles(Data))
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
        await using var second = await ServeAsync();
        Assert.DoesNotContain("pst_root_", second.Output, StringComparison.Ordinal);
        using var http = second.Client(key);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/sessions/hello/history")).StatusCode);
    }

    [Fact]
    public async Task A_root_key_may_be_given_and_is_not_printed()
    {
        var key = (await PosternCommand.RunAsync("keys generate")).Out.Trim();
        await using var server = await ServeAsync(new() { ["POSTERN_ROOT_KEY"] = key });
        Assert.DoesNotContain(key, server.Output, StringComparison.Ordinal);
        using var http = server.Client(key);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/api/v1/keys")).StatusCode);
        var (code, _, error) = await PosternCommand.RunAsync(
            $"serve --data {_folder}/other --urls http://127.0.0.1:0",
            new Dictionary<string, string> { ["POSTERN_ROOT_KEY"] = key[..^1] }
        );
        Assert.Equal(2, code);
        Assert.Contains("mistyped", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_server_on_the_same_folder_is_refused_and_so_are_unusable_settings()
    {
        await using var server = await ServeAsync();
        var (code, _, error) = await PosternCommand.RunAsync($"serve --data {Data} --urls http://127.0.0.1:0");
        Assert.Equal((2, true), (code, error.Contains("Another postern serves", StringComparison.Ordinal)));
        (code, _, error) = await PosternCommand.RunAsync($"serve --data {_folder}/other --urls {server.Url}");
        Assert.Equal((2, true), (code, error.Contains("taken by another program", StringComparison.Ordinal)));
        (code, _, error) = await PosternCommand.RunAsync(
            $"serve --data {_folder}/third",
            new Dictionary<string, string> { ["POSTERN_RateLimits__Burst"] = "1", ["POSTERN_Runs__IdleSeconds"] = "0" }
        );
        Assert.Equal(2, code);
        Assert.Contains("RateLimits:Burst is no setting", error, StringComparison.Ordinal);
        Assert.Contains("must be from 1 to 3600", error, StringComparison.Ordinal);
        (code, _, error) = await PosternCommand.RunAsync(
            $"serve --data {_folder}/pg --database \"Host=127.0.0.1;Database=x\""
        );
        Assert.Equal((2, true), (code, error.Contains("POSTERN_MASTER_KEY", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Keys_and_tokens_of_the_command_line_work_beside_a_running_server_within_a_second()
    {
        await using var server = await ServeAsync();
        var created = (await PosternCommand.RunAsync($"keys create ci --scopes read:sessions --for 90d --data {Data}"))
            .Out.Trim()
            .Split('\n');
        using var http = server.Client(created[1]);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/api/v1/sessions")).StatusCode);
        Assert.Contains(
            created[0],
            (await PosternCommand.RunAsync($"keys list --data {Data}")).Out,
            StringComparison.Ordinal
        );

        var token = (
            await PosternCommand.RunAsync($"token mint --scopes read:sessions --for 1h --data {Data}")
        ).Out.Trim();
        using var holder = server.Client(token);
        Assert.Equal(HttpStatusCode.OK, (await holder.GetAsync("/api/v1/sessions")).StatusCode);

        var rotated = (
            await PosternCommand.RunAsync($"keys rotate {created[0]} --overlap 0s --data {Data}")
        ).Out.Trim();
        await WaitFor.TrueAsync(
            async () => (await http.GetAsync("/api/v1/sessions")).StatusCode == HttpStatusCode.Unauthorized,
            TimeSpan.FromSeconds(1)
        );
        using var again = server.Client(rotated);
        Assert.Equal(HttpStatusCode.OK, (await again.GetAsync("/api/v1/sessions")).StatusCode);
        Assert.Equal(0, (await PosternCommand.RunAsync($"keys revoke {created[0]} --data {Data}")).Code);
        await WaitFor.TrueAsync(
            async () => (await again.GetAsync("/api/v1/sessions")).StatusCode == HttpStatusCode.Unauthorized,
            TimeSpan.FromSeconds(1)
        );
        var project = (await PosternCommand.RunAsync($"projects create staging --data {Data}")).Out.Trim().Split('\n');
        using var tenant = server.Client(project[1]);
        Assert.Equal(HttpStatusCode.OK, (await tenant.GetAsync("/api/v1/sessions")).StatusCode);
        Assert.Contains(
            project[0],
            (await PosternCommand.RunAsync($"projects list --data {Data}")).Out,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("serve")]
    [InlineData("doors")]
    [InlineData("keys create")]
    [InlineData("keys list")]
    [InlineData("keys rotate")]
    [InlineData("keys revoke")]
    [InlineData("keys generate")]
    [InlineData("projects create")]
    [InlineData("token mint")]
    [InlineData("doctor")]
    [InlineData("backup")]
    [InlineData("restore")]
    [InlineData("settings")]
    public async Task Every_command_explains_itself_with_an_example(string command)
    {
        var (code, output, _) = await PosternCommand.RunAsync(command + " --help");
        Assert.Equal(0, code);
        Assert.Contains("Example: ", output, StringComparison.Ordinal);
    }

    /// <summary>A script whose variable is not set makes no key with all rights, and uses no other database.</summary>
    [Theory]
    [InlineData("keys create ci --scopes ''")]
    [InlineData("keys create ci --scopes ' , '")]
    [InlineData("token mint --for 1h --scopes ''")]
    [InlineData("serve --database ''")]
    [InlineData("serve --relay ''")]
    [InlineData("restore /none --database ''")]
    public async Task An_option_without_a_value_is_refused(string command)
    {
        var (code, output, error) = await PosternCommand.RunAsync($"--data {Data} {command.Replace('\'', '"')}");
        Assert.Equal((2, ""), (code, output));
        Assert.Matches("--(scopes|database|relay) is empty", error);
        Assert.False(Directory.Exists(Data));
    }

    [Fact]
    public async Task A_backup_taken_while_serving_is_put_back_and_serves()
    {
        string key;
        var file = Path.Combine(_folder, "backup.db");
        await using (var server = await ServeAsync())
        {
            key = server.RootKey;
            using var http = server.Client(key);
            for (var i = 0; i < 20; i++)
                await http.PostAsJsonAsync("/sessions/kept/messages", new { role = "user", content = "before " + i });
            var writing = Task.WhenAll(
                Enumerable
                    .Range(0, 50)
                    .Select(i =>
                        http.PostAsJsonAsync(
                            "/sessions/kept/messages",
                            new { role = "user", content = "meanwhile " + i }
                        )
                    )
            );
            Assert.Equal(0, (await PosternCommand.RunAsync($"backup {file} --data {Data}")).Code);
            await writing;
            await http.PostAsJsonAsync("/sessions/later/messages", new { role = "user", content = "after the backup" });
            Assert.Equal(2, (await PosternCommand.RunAsync($"backup {file} --data {Data}")).Code);
            Assert.Equal(2, (await PosternCommand.RunAsync($"restore {file} --force --data {Data}")).Code);
        }
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(2, (await PosternCommand.RunAsync($"restore {file} --data {Data}")).Code);
        await File.WriteAllTextAsync(
            Path.Combine(_folder, "broken.db"),
            "not a database at all, but long enough to be looked at by SQLite as if it were one"
        );
        Assert.Equal(2, (await PosternCommand.RunAsync($"restore {_folder}/broken.db --force --data {Data}")).Code);
        Assert.Equal(0, (await PosternCommand.RunAsync($"restore {file} --force --data {Data}")).Code);
        await using var restored = await ServeAsync();
        using var after = restored.Client(key);
        var kept = (await after.GetFromJsonAsync<JsonElement>("/sessions/kept/history?limit=1000"))
            .GetProperty("messages")
            .GetArrayLength();
        Assert.InRange(kept, 20, 70);
        Assert.Equal(HttpStatusCode.NotFound, (await after.GetAsync("/sessions/later/history")).StatusCode);
    }

    /// <summary>A variable of a script that is not set must not make a key, and no name moves the terminal.</summary>
    [Fact]
    public async Task Commands_take_only_what_the_routes_take_and_show_names_on_one_line()
    {
        await using var server = await ServeAsync();
        foreach (
            var (arguments, words) in ((string, string)[])
                [
                    ("keys create \"\"", "The name must have 1 to 128"),
                    ($"keys create {new string('a', 129)}", "The name must have 1 to 128"),
                    ("keys create x --for 0s", "--for must be longer"),
                    ("token mint --scopes read:runs --for 0s", "--for must be longer"),
                    ("projects create \" \"", "The name must have 1 to 128"),
                ]
        )
        {
            var (code, output, error) = await PosternCommand.RunAsync($"{arguments} --data {Data}");
            Assert.True(code == 2 && output.Length == 0 && error.Contains(words, StringComparison.Ordinal), error);
        }
        using var http = server.Client(server.RootKey);
        var made = await http.PostAsJsonAsync("/api/v1/keys", new { name = "a\nkey_forged\r\u001b[1A" });
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var listed = (await PosternCommand.RunAsync($"keys list --data {Data}")).Out;
        Assert.Contains("a key_forged\\u{000d}\\u{001b}[1A  (all rights)\n", listed, StringComparison.Ordinal);
        Assert.Equal(2, listed.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        var root = listed.Split('\n').Single(l => l.Contains("  root  ", StringComparison.Ordinal)).Split(' ')[0];
        var late = await PosternCommand.RunAsync($"keys rotate {root} --overlap 31d --data {Data}");
        Assert.Equal((2, true), (late.Code, late.Error.Contains("cannot exceed 30d", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_doctor_finds_what_is_wrong_and_says_what_to_do()
    {
        await using (await ServeAsync()) { }
        var (code, output, _) = await PosternCommand.RunAsync(
            $"doctor --data {Data} --urls http://127.0.0.1:{PostgresServer.FreePort()}"
        );
        Assert.True(code == 0, output);
        Assert.Contains($"schema {Postern.Storage.Migrations.Newest}", output, StringComparison.Ordinal);
        Assert.Contains("nobody is waited for", output, StringComparison.Ordinal);
        Assert.Contains("0 inbound URLs, all with authentication", output, StringComparison.Ordinal);
        File.SetUnixFileMode(
            Path.Combine(Data, "postern.db"),
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead
        );
        File.Move(Path.Combine(Data, "master.key"), Path.Combine(_folder, "master.key"));
        using var taken = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        (code, output, _) = await PosternCommand.RunAsync(
            $"doctor --data {Data} --urls http://127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}",
            new Dictionary<string, string> { ["POSTERN_Runs__IdleSeconds"] = "9999" }
        );
        Assert.Equal(1, code);
        foreach (
            var says in (string[])["chmod go-rwx", "master.key is missing", "with --urls", "must be from 1 to 3600"]
        )
            Assert.Contains(says, output, StringComparison.Ordinal);
        await File.WriteAllTextAsync(
            Path.Combine(Data, "master.key"),
            "a master key, but of another server altogether"
        );
        Assert.Equal(2, (await PosternCommand.RunAsync($"serve --data {Data} --urls http://127.0.0.1:0")).Code);
    }

    [Fact]
    public async Task Stopping_ends_all_waits()
    {
        var server = await ServeAsync();
        using var http = server.Client(server.RootKey);
        await http.PutAsJsonAsync("/api/v1/agents/p", new { kind = "pull" });
        var run = (
            await (
                await http.PostAsJsonAsync("/api/v1/runs", new { agent = "p" })
            ).Content.ReadFromJsonAsync<JsonElement>()
        )
            .GetProperty("id")
            .GetString();
        var waits = new List<Task<string>> { http.GetStringAsync($"/api/v1/runs/{run}?wait=55") };
        await http.PostAsJsonAsync("/api/v1/agents/p/claim", new { waitSeconds = 10 });
        await http.PostAsJsonAsync($"/api/v1/executions/{run}/request-approval", new { });
        // It waits for a person by now, as the test has waited for.
        Assert.Contains("\"waiting\"", await waits[0], StringComparison.Ordinal);
        var other = (
            await (
                await http.PostAsJsonAsync("/api/v1/runs", new { agent = "echo", start = false })
            ).Content.ReadFromJsonAsync<JsonElement>()
        )
            .GetProperty("id")
            .GetString();
        waits =
        [
            http.GetStringAsync($"/api/v1/executions/{run}/approval-status?wait=55"),
            http.GetStringAsync($"/api/v1/runs/{other}?wait=55"),
            ClaimAsync(),
        ];
        // They have been taken up once the server has answered what was sent after them.
        for (var i = 0; i < 20; i++)
            await http.GetStringAsync("/healthz");
        var watch = System.Diagnostics.Stopwatch.StartNew();
        Assert.Equal(0, await server.TerminateAsync());
        var answers = await Task.WhenAll(waits);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"it took {watch.Elapsed}");
        Assert.Contains("pending", answers[0], StringComparison.Ordinal);
        Assert.Contains("queued", answers[1], StringComparison.Ordinal);
        Assert.Equal("{\"data\":[]}", answers[2]);

        async Task<string> ClaimAsync() =>
            await (
                await http.PostAsJsonAsync("/api/v1/agents/p/claim", new { waitSeconds = 55 })
            ).Content.ReadAsStringAsync();
    }

    [Fact]
    public async Task Stopping_tells_the_streams_and_finishes_the_writes()
    {
        var server = await ServeAsync(new() { ["POSTERN_RateLimits__ProjectBurst"] = "0" });
        using var http = server.Client(server.RootKey);
        await http.PostAsJsonAsync("/sessions/s/messages", new { role = "user", content = "hello" });
        using var request = new HttpRequestMessage(HttpMethod.Get, "/sessions/s/history");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using var stream = new EventReader(response, await response.Content.ReadAsStreamAsync());
        await stream.NextAsync();
        var writes = Enumerable
            .Range(0, 100)
            .Select(async i =>
            {
                try
                {
                    return (int)
                        (
                            await http.PostAsJsonAsync("/sessions/w/messages", new { role = "user", content = "w" + i })
                        ).StatusCode;
                }
                catch (Exception fault) when (Unanswered.Is(fault))
                {
                    return 0;
                }
            })
            .ToList();
        await Task.WhenAny(writes);
        Assert.Equal(0, await server.TerminateAsync());
        ServerEvent? read;
        do read = await stream.NextAsync();
        while (read is { Name: "message" });
        Assert.Equal(("end", "shutdown"), (read!.Name, read.Json.GetProperty("reason").GetString()));
        var acknowledged = (await Task.WhenAll(writes)).Count(s => s == 201);
        var key = server.RootKey;
        await using var again = await ServeAsync();
        using var after = again.Client(key);
        Assert.InRange(
            (await after.GetFromJsonAsync<JsonElement>("/sessions/w/history?limit=1000"))
                .GetProperty("messages")
                .GetArrayLength(),
            acknowledged,
            100
        );
        await server.DisposeAsync();
    }

    [Fact]
    public async Task Traces_and_metrics_go_to_the_endpoint_that_is_set()
    {
        using var collector = new HttpListener();
        var port = PostgresServer.FreePort();
        collector.Prefixes.Add($"http://127.0.0.1:{port}/");
        collector.Start();
        var bodies = new System.Collections.Concurrent.ConcurrentDictionary<string, string>();
        _ = Task.Run(async () =>
        {
            while (collector.IsListening)
            {
                var context = await collector.GetContextAsync();
                using var buffer = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(buffer);
                bodies.AddOrUpdate(
                    context.Request.Url!.AbsolutePath,
                    _ => System.Text.Encoding.Latin1.GetString(buffer.ToArray()),
                    (_, old) => old + System.Text.Encoding.Latin1.GetString(buffer.ToArray())
                );
                context.Response.Close();
            }
        });
        await using var server = await ServeAsync(
            new()
            {
                ["POSTERN_Telemetry__Endpoint"] = $"http://127.0.0.1:{port}",
                ["POSTERN_Telemetry__MetricsSeconds"] = "1",
            }
        );
        using var http = server.Client(server.RootKey);
        await http.PostAsJsonAsync("/sessions/s/messages", new { role = "user", content = "hello" });
        foreach (
            var (path, names) in new[]
            {
                ("/v1/traces", new[] { "/sessions/{key}/messages", "postern.store.write" }),
                (
                    "/v1/metrics",
                    [
                        "http.server.request.duration",
                        "postern.store.queue.depth",
                        "postern.store.batch.size",
                        "postern.store.commit.duration",
                        "postern.streams.open",
                    ]
                ),
            }
        )
            await WaitFor.TrueAsync(
                () =>
                    Task.FromResult(
                        bodies.TryGetValue(path, out var text)
                            && names.All(n => text.Contains(n, StringComparison.Ordinal))
                    ),
                TimeSpan.FromSeconds(30)
            );
        Assert.DoesNotContain(server.RootKey, string.Concat(bodies.Values), StringComparison.Ordinal);
        collector.Stop();
    }
}
