using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Hosting;

/// <summary>The real program: after a restore, no credential works that was revoked after the backup.</summary>
public sealed class RestoreTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-restore-").FullName;

    private string Data => Path.Combine(_folder, "data");

    private string Backup => Path.Combine(_folder, "backup.db");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Credentials_that_ended_after_the_backup_stay_ended_when_the_replaced_database_can_be_read()
    {
        var made = await EndAllAsync();
        var (code, output, _) = await PosternCommand.RunAsync($"restore {Backup} --data {Data} --force");
        Assert.Equal(0, code);
        foreach (
            var says in (string[])
                ["3 keys that were changed", "1 callback secrets that were revoked", "1 used one-time tokens"]
        )
            Assert.True(output.Contains(says, StringComparison.Ordinal), output);
        Assert.Matches("[1-9] rows that revoke tokens", output);
        Assert.DoesNotContain("WARNING", output, StringComparison.Ordinal);

        await using var server = await ServeAsync();
        foreach (var (what, credential) in made.Ended)
            Assert.True(await StatusAsync(server, credential) == 401, what);
        Assert.Equal(204, await ReportAsync(server, made.KeptSecret));
        Assert.Equal(401, await ReportAsync(server, made.EndedSecret));
        Assert.Equal(200, await StatusAsync(server, made.Rotated));
        Assert.Equal(403, await StatusAsync(server, made.Narrowed));
        // Later changes are newer than those that were copied.
        using var root = server.Client(made.Root);
        Assert.Equal(HttpStatusCode.NoContent, (await root.DeleteAsync("/api/v1/keys/" + made.RotatedId)).StatusCode);
        Assert.Equal(401, await StatusAsync(server, made.Rotated));
    }

    [Fact]
    public async Task Without_the_replaced_database_the_operator_gets_the_commands_that_end_credentials()
    {
        var made = await EndAllAsync();
        foreach (var file in Directory.GetFiles(Data, "postern.db*"))
            File.Delete(file);
        var (code, output, _) = await PosternCommand.RunAsync($"restore {Backup} --data {Data}");
        Assert.Equal(0, code);
        Assert.Contains(
            "WARNING: what ended after the backup was made is valid again",
            output,
            StringComparison.Ordinal
        );
        var rotate = output
            .Split('\n')
            .Single(l => l.Contains("postern keys rotate", StringComparison.Ordinal))
            .Split('#')[0]
            .Trim();
        Assert.Equal(0, (await PosternCommand.RunAsync(rotate["postern ".Length..])).Code);
        await using var server = await ServeAsync();
        Assert.Equal(401, await StatusAsync(server, made.Root));
        Assert.Equal(401, await StatusAsync(server, made.OneTime));
    }

    [Fact]
    public async Task A_replaced_database_that_cannot_be_read_is_kept_and_said()
    {
        await EndAllAsync();
        foreach (var file in Directory.GetFiles(Data, "postern.db-*"))
            File.Delete(file);
        await File.WriteAllTextAsync(Path.Combine(Data, "postern.db"), "damaged " + new string('x', 5000));
        var (code, output, error) = await PosternCommand.RunAsync($"restore {Backup} --data {Data} --force");
        Assert.True(code == 0, error);
        Assert.Contains("WARNING", output, StringComparison.Ordinal);
        Assert.StartsWith(
            "damaged",
            await File.ReadAllTextAsync(Path.Combine(Data, "postern.db.before-restore")),
            StringComparison.Ordinal
        );
        await using var server = await ServeAsync();
    }

    [Fact]
    public async Task Another_servers_database_says_nothing_about_this_one()
    {
        await EndAllAsync();
        var other = Path.Combine(_folder, "other");
        await using (await ServerProcess.StartAsync($"--data {other} --urls http://127.0.0.1:0")) { }
        Assert.Contains(
            "WARNING",
            (await PosternCommand.RunAsync($"restore {Backup} --data {other} --force")).Out,
            StringComparison.Ordinal
        );
    }

    /// <summary>A backup, and the credentials that have ended since.</summary>
    private async Task<Made> EndAllAsync()
    {
        await using var server = await ServeAsync();
        using var root = server.Client(server.RootKey);
        var revoked = await PostAsync("/api/v1/keys", new { name = "revoked" });
        var rotated = await PostAsync("/api/v1/keys", new { name = "rotated" });
        var narrowed = await PostAsync("/api/v1/keys", new { name = "narrowed" });
        var kept = Text(await PostAsync("/api/v1/callback-secrets", new { }), "secret");
        var ended = await PostAsync("/api/v1/callback-secrets", new { });
        var oneTime = await TokenAsync(oneTimeUse: true);
        var token = await TokenAsync(oneTimeUse: false);
        Assert.Equal(0, (await PosternCommand.RunAsync($"backup {Backup} --data {Data}")).Code);

        await root.DeleteAsync("/api/v1/keys/" + Text(revoked, "id"));
        var fresh = Text(
            await PostAsync($"/api/v1/keys/{Text(rotated, "id")}/rotate", new { overlapSeconds = 0 }),
            "key"
        );
        await root.PatchAsJsonAsync("/api/v1/keys/" + Text(narrowed, "id"), new { scopes = new[] { "read:runs" } });
        await root.DeleteAsync("/api/v1/callback-secrets/" + Text(ended, "id"));
        await root.PostAsJsonAsync("/api/v1/auth/revoke", new { token });
        Assert.Equal(200, await StatusAsync(server, oneTime));
        Assert.Equal(401, await StatusAsync(server, oneTime));
        return new Made(
            server.RootKey,
            oneTime,
            fresh,
            Text(rotated, "id"),
            Text(narrowed, "key"),
            kept,
            Text(ended, "secret"),
            [
                ("a revoked key", Text(revoked, "key")),
                ("an earlier secret", Text(rotated, "key")),
                ("a revoked token", token),
                ("a used token", oneTime),
            ]
        );

        async Task<string> TokenAsync(bool oneTimeUse) =>
            Text(
                await PostAsync("/api/v1/auth/public-tokens", new { scopes = new[] { "read:sessions" }, oneTimeUse }),
                "token"
            );

        async Task<JsonElement> PostAsync(string path, object body) =>
            await (await root.PostAsJsonAsync(path, body))
                .EnsureSuccessStatusCode()
                .Content.ReadFromJsonAsync<JsonElement>();
    }

    private Task<ServerProcess> ServeAsync() => ServerProcess.StartAsync($"--data {Data} --urls http://127.0.0.1:0");

    private static async Task<int> StatusAsync(ServerProcess server, string credential)
    {
        using var http = server.Client(credential);
        return (int)(await http.GetAsync("/api/v1/sessions")).StatusCode;
    }

    /// <summary>204 means accepted: there is no such run.</summary>
    private static async Task<int> ReportAsync(ServerProcess server, string secret)
    {
        using var http = new HttpClient(new SocketsHttpHandler()) { BaseAddress = new Uri(server.Url) };
        http.DefaultRequestHeaders.Add("X-Callback-Secret", secret);
        var report = new
        {
            event_id = "e",
            status = "DONE",
            occurred_at = "2026-01-01T00:00:00Z",
            correlation_id = "c",
        };
        var status = (int)(await http.PostAsJsonAsync("/internal/jobs/run_none/status", report)).StatusCode;
        return status == 404 ? 204 : status;
    }

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;

    private sealed record Made(
        string Root,
        string OneTime,
        string Rotated,
        string RotatedId,
        string Narrowed,
        string KeptSecret,
        string EndedSecret,
        (string What, string Credential)[] Ended
    );
}
