using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Access.Attacks;

/// <summary>
/// Attacks by a client that can sign tokens with the root key, as client libraries do: claims that only the server
/// makes. They give nothing that the root key does not have, and the names in them bind the token.
/// </summary>
public sealed class ForgeryAttackTests(ForgeryAttackTests.World world) : IClassFixture<ForgeryAttackTests.World>
{
    public sealed class World : IAsyncLifetime
    {
        internal TestServer Server { get; private set; } = null!;

        internal string Project { get; private set; } = "";

        /// <summary>A run held by a worker, and one that has ended.</summary>
        internal string Run { get; private set; } = "";

        internal string Ended { get; private set; } = "";

        public async ValueTask InitializeAsync()
        {
            Server = await TestServer.StartAsync();
            Project = await Server.ProjectAsync();
            var asking = await Asking.PrepareAsync(Server);
            // The clock is moved on: no run ends by that.
            var deadlines = new
            {
                queuedSeconds = 604_800,
                turnSeconds = 86_400,
                totalSeconds = 2_592_000,
            };
            await Server.SendAsync(
                HttpMethod.Put,
                "/api/v1/agents/p",
                Server.RootKey,
                new
                {
                    kind = "pull",
                    idleSeconds = 3600,
                    deadlines,
                }
            );
            (Ended, _, _) = await asking.RunningAsync();
            await Server.PostAsync($"/api/v1/runs/{Ended}/cancel", null);
            (Run, _, _) = await asking.RunningAsync();
            Server.Clock.Advance(TimeSpan.FromSeconds(61));
        }

        public ValueTask DisposeAsync() => Server.DisposeAsync();
    }

    [Theory]
    [InlineData("{\"run\":null}")]
    [InlineData("{\"run\":\"r\"}")]
    [InlineData("{\"run\":[]}")]
    [InlineData("{\"run\":{}}")]
    [InlineData("{\"run\":{\"id\":\"\",\"attempt\":1}}")]
    [InlineData("{\"run\":{\"id\":7,\"attempt\":1}}")]
    [InlineData("{\"run\":{\"id\":\"r\"}}")]
    [InlineData("{\"run\":{\"id\":\"r\",\"attempt\":\"1\"}}")]
    [InlineData("{\"run\":{\"id\":\"r\",\"attempt\":1.5}}")]
    [InlineData("{\"run\":{\"id\":\"r\",\"attempt\":1e40}}")]
    [InlineData("{\"run\":{\"id\":\"r\",\"attempt\":1,\"session\":7}}")]
    [InlineData("{\"line\":\"tok_1\"}")]
    [InlineData("{\"line\":{}}")]
    [InlineData("{\"line\":[1]}")]
    [InlineData("{\"line\":[[\"x\"]]}")]
    [InlineData("{\"since\":\"now\"}")]
    [InlineData("{\"since\":-1}")]
    [InlineData("{\"since\":1e300}")]
    [InlineData("{\"key\":1}")]
    [InlineData("{\"key\":[]}")]
    [InlineData("{\"seal\":{}}")]
    [InlineData("{\"seal\":1}")]
    [InlineData("{\"origin\":1}")]
    [InlineData("{\"jti\":1}")]
    [InlineData("{\"act\":{\"sub\":1}}")]
    [InlineData("{\"act\":{\"sub\":\"a\",\"client\":[]}}")]
    [InlineData("{\"scopes\":[1]}")]
    [InlineData("{\"scopes\":{\"admin\":true}}")]
    [InlineData("{\"exp\":1e300}")]
    [InlineData("{\"pub\":1}")]
    public async Task A_claim_that_is_not_what_it_must_be_makes_no_token(string claims) =>
        await RefusedAsync(claims, "malformed");

    [Fact]
    public async Task A_line_without_end_makes_no_token()
    {
        await RefusedAsync(
            JsonSerializer.Serialize(new { line = Enumerable.Range(0, 17).Select(i => "tok_" + i) }),
            "malformed"
        );
        await RefusedAsync(
            JsonSerializer.Serialize(new { scopes = Enumerable.Range(0, 1001).Select(_ => "read:runs") }),
            "malformed"
        );
    }

    [Theory]
    [InlineData("{\"key\":\"key_nobody\"}")]
    [InlineData("{\"key\":\"\"}")]
    [InlineData("{\"origin\":\"key_nobody\"}")]
    [InlineData("{\"key\":\"{root}\",\"seal\":\"AAAA\"}")]
    [InlineData("{\"key\":\"{root}\",\"seal\":\"\"}")]
    [InlineData("{\"key\":\"{other}\"}")]
    [InlineData("{\"key\":\"{revoked}\"}")]
    [InlineData("{\"origin\":\"{revoked}\"}")]
    [InlineData("{\"key\":\"{expired}\"}")]
    [InlineData("{\"line\":[\"{ended}\"]}")]
    [InlineData("{\"line\":[\"a\",\"b\",\"{ended}\"]}")]
    [InlineData("{\"origin\":\"{ended}\"}")]
    [InlineData("{\"jti\":\"{ended}\"}")]
    public async Task The_names_in_a_token_bind_it(string claims)
    {
        var server = world.Server;
        var (revoked, _) = await server.NamedKeyAsync("revoked", "read:runs");
        await server.SendAsync(HttpMethod.Delete, $"/api/v1/keys/{revoked}", server.RootKey);
        var expired = (
            await server.PostAsync(
                "/api/v1/keys",
                new
                {
                    name = "expired",
                    scopes = new[] { "read:runs" },
                    expiresAt = server.Clock.GetUtcNow().AddSeconds(1),
                }
            )
        ).String("id");
        server.Clock.Advance(TimeSpan.FromSeconds(2));
        await server.PostAsync("/api/v1/auth/revoke", new { jti = "tok_ended" });
        var other = (await server.PostAsync("/api/v1/projects", new { name = Guid.NewGuid().ToString("N") })).String(
            "rootKey"
        );
        await RefusedAsync(
            claims
                .Replace("{root}", "key_" + server.RootKey.Split('_')[2], StringComparison.Ordinal)
                .Replace("{other}", "key_" + other.Split('_')[2], StringComparison.Ordinal)
                .Replace("{revoked}", revoked, StringComparison.Ordinal)
                .Replace("{expired}", expired, StringComparison.Ordinal)
                .Replace("{ended}", "tok_ended", StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData("{run}", 2)]
    [InlineData("{run}", 99)]
    [InlineData("{run}", 0)]
    [InlineData("{run}", -1)]
    [InlineData("{ended}", 1)]
    [InlineData("{ended}", 2)]
    [InlineData("run_nobody", 1)]
    public async Task A_token_that_names_an_attempt_which_has_no_run_opens_nothing(string run, long attempt)
    {
        run = run.Replace("{run}", world.Run, StringComparison.Ordinal)
            .Replace("{ended}", world.Ended, StringComparison.Ordinal);
        var token = await SignAsync(
            new JsonObject
            {
                ["run"] = new JsonObject { ["id"] = run, ["attempt"] = attempt },
                ["scopes"] = new JsonArray("admin"),
            }
        );
        foreach (
            var (method, path) in new[]
            {
                ("GET", $"/api/v1/runs/{run}"),
                ("POST", $"/api/v1/runs/{run}/heartbeat"),
                ("POST", $"/api/v1/runs/{run}/status"),
                ("POST", $"/api/v1/executions/{run}/request-approval"),
                ("GET", $"/api/v1/executions/{run}/approval-status"),
                ("GET", $"/api/v1/runs/{world.Run}"),
            }
        )
            Assert.Equal(
                401,
                (
                    await world.Server.SendAsync(
                        new HttpMethod(method),
                        path,
                        token,
                        method == "GET" ? null : new { status = "succeeded" }
                    )
                ).Status
            );
    }

    /// <summary>
    /// A run's token is that and nothing else, whatever scopes it is given: at each door of the table.
    /// </summary>
    [Fact]
    public async Task A_token_that_names_a_run_opens_only_that_runs_doors()
    {
        var server = world.Server;
        var token = await SignAsync(
            new JsonObject
            {
                ["run"] = new JsonObject { ["id"] = world.Run, ["attempt"] = 1 },
                ["scopes"] = new JsonArray("admin", "read:all", "write:all"),
            }
        );
        Assert.Equal(200, (await server.GetAsync($"/api/v1/runs/{world.Run}", token)).Status);
        await server.StartSessionAsync("somebodys", agent: "p");
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/runs?phase=queued")).Json.GetProperty("data").GetArrayLength() == 0
        );
        var rows = await server.CountRowsAsync();
        foreach (var door in server.Doors.Table.Where(d => d.Handler is ProjectHandler))
        {
            var path = door
                .Path.Replace("{run}", world.Ended, StringComparison.Ordinal)
                .Replace("{session}", "somebodys", StringComparison.Ordinal)
                .Replace("{key}", "somebodys", StringComparison.Ordinal)
                .Replace("{io}", "in", StringComparison.Ordinal);
            path = System.Text.RegularExpressions.Regex.Replace(path, @"\{\w+\}", "x");
            var answer = await server.SendAsync(
                new HttpMethod(door.Method),
                path,
                token,
                door.Method is "GET" or "HEAD" or "DELETE" ? null : new { }
            );
            Assert.True(
                (door.Credentials & Credentials.RunToken) != 0 ? answer.Status is 403 or 404 : answer.Status == 401,
                $"{door.Method} {door.Path}: {answer}"
            );
        }
        Assert.Equal(rows, await server.CountRowsAsync());
    }

    private async Task RefusedAsync(string claims, string? reason = null)
    {
        var answer = await world.Server.GetAsync("/api/v1/runs", await SignAsync(JsonNode.Parse(claims)!.AsObject()));
        Assert.True(answer.Status == 401, $"{claims}: {answer}");
        if (reason is not null)
            Assert.Contains($"reason=\"{reason}\"", answer.Header("WWW-Authenticate"), StringComparison.Ordinal);
    }

    private async Task<string> SignAsync(JsonObject more)
    {
        var now = world.Server.Clock.GetUtcNow().ToUnixTimeSeconds();
        var payload = new JsonObject
        {
            ["sub"] = world.Project,
            ["pub"] = true,
            ["scopes"] = new JsonArray("read:runs"),
            ["iss"] = "postern",
            ["aud"] = "postern",
            ["iat"] = now - 5,
            ["exp"] = now + 600,
            ["jti"] = Guid.NewGuid().ToString("N"),
        };
        foreach (var (name, value) in more)
            payload[name] = value?.DeepClone();
        var text =
            Base64Url.EncodeToString("{\"alg\":\"HS256\"}"u8)
            + "."
            + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload.ToJsonString()));
        await Task.CompletedTask;
        return text
            + "."
            + Base64Url.EncodeToString(
                HMACSHA256.HashData(Encoding.UTF8.GetBytes(world.Server.RootKey), Encoding.ASCII.GetBytes(text))
            );
    }
}
