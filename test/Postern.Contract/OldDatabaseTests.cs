using System.Buffers.Text;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Npgsql;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Databases that the program of version 0.3.0 made, in <c>Fixtures</c>: an agent with a plain http URL, a key,
/// sessions (one under a name that is refused now), a trigger with the secret <c>k</c>, a schedule, an approval service
/// with the secret <c>short</c>, a callback secret, a run that waits for a person. The program of today goes on with
/// them.
/// </summary>
public sealed class OldDatabaseTests
{
    private const string RootKey =
        "pst_root_01m8cp9m44eb0t403e2hj21gwc_E0X1wO5gNUPfTHfsSGYofZSvNLcftoJGZx5XoyFCCan_0MkRYy";

    private static readonly Dictionary<string, string> Environment = new(StringComparer.Ordinal)
    {
        ["POSTERN_MASTER_KEY"] = "the master key of the fixture, for tests alone",
    };

    [Fact]
    public async Task On_SQLite_it_goes_on()
    {
        var folder = Directory.CreateTempSubdirectory("postern-old-");
        File.SetUnixFileMode(
            folder.FullName,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        );
        await using (var file = File.Create(Path.Combine(folder.FullName, "postern.db")))
            await file.WriteAsync(Fixture("postern-0.3.0.db.gz"));
        await GoesOnAsync(
            $"--data {folder.FullName}",
            "pst_live_01m8cp9mq5e3qsawn23qyr6e66_U73rnEg2yctHsoTWBQyqmtCWWZ1STKvVMYsTpnTiJAj_3LEOqB",
            "pst_cbs_23126bdb8275c4f05685a04b7b03b924a1436192f19deae6cc0021c76e952e92"
        );
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task On_PostgreSQL_it_goes_on()
    {
        var database = PostgresServer.NewDatabase();
        await using (var connection = new NpgsqlConnection(database + ";Pooling=false"))
        {
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand(
                Encoding.UTF8.GetString(Fixture("postern-0.3.0.sql.gz")),
                connection
            );
            await command.ExecuteNonQueryAsync();
        }
        await GoesOnAsync(
            $"--database {database}",
            "pst_live_01m8cpac13fdqrzvfh4fc7x5cg_qOQkaV4f7zdG89LaXT83PQ5jmz32JuKk3Pv8NJp4EZd_0u2WhF",
            "pst_cbs_4564d8ca812e1820241739ed5bdf50b9cc11ac51f7d5acd6eeeedeabf16a5946"
        );
    }

    private static async Task GoesOnAsync(string where, string key, string callbackSecret)
    {
        await using var server = await ServerProcess.StartAsync($"{where} --urls http://127.0.0.1:0", Environment);
        using var root = server.Client(RootKey);
        using var ci = server.Client(key);
        using var anybody = new HttpClient { BaseAddress = new Uri(server.Url) };

        // Keys, sessions and what was said.
        var session = await ci.GetFromJsonAsync<JsonElement>("/api/v1/sessions/old-chat");
        Assert.True(session.GetProperty("metadata").GetProperty("kept").GetBoolean());
        Assert.Contains(
            "said to 0.3.0",
            await root.GetStringAsync("/sessions/old-chat/history"),
            StringComparison.Ordinal
        );
        Assert.Equal(
            HttpStatusCode.OK,
            await StatusAsync(ci.PostAsJsonAsync("/realtime/v1/sessions/old-chat/in/append", 1))
        );

        // A name that is refused now can still be read, and cannot be created again.
        Assert.Equal(
            HttpStatusCode.OK,
            await StatusAsync(root.GetAsync("/sessions/agent:echo:agent:echo:odd%20name/history"))
        );
        var odd = new
        {
            type = "chat",
            externalId = "agent:echo:another",
            taskIdentifier = "echo",
            triggerConfig = new { basePayload = new { } },
        };
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(root.PostAsJsonAsync("/api/v1/sessions", odd)));

        // A token as 0.3.0 minted it: without a seal.
        var minted = await root.PostAsJsonAsync(
            "/api/v1/auth/public-tokens",
            new { scopes = new[] { "read:sessions" } }
        );
        var token = (await minted.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("token").GetString()!;
        using var browser = server.Client(TokenOf030(ProjectIn(token), "read:sessions:old-chat"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(browser.GetAsync("/api/v1/sessions/old-chat")));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(browser.GetAsync("/api/v1/keys")));

        // Secrets that could not be set any more still open what they opened.
        var hook = new HttpRequestMessage(HttpMethod.Post, "/inbound/user/me/hook")
        {
            Content = JsonContent.Create(new { a = "from today" }),
            Headers = { { "X-Token", "k" } },
        };
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(anybody.SendAsync(hook)));
        var captured = await root.GetFromJsonAsync<JsonElement>("/api/triggers/user/me/hook/requests?limit=10");
        Assert.Equal(2, captured.GetProperty("data").GetProperty("requests").GetArrayLength());
        var body = """{"requestId":"q-old","decision":"approved"}""";
        var mac = HMACSHA256.HashData("short"u8, Encoding.UTF8.GetBytes(body));
        var decision = new HttpRequestMessage(HttpMethod.Post, "/api/v1/webhooks/approval-response")
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
            Headers = { { "X-Webhook-Signature", Convert.ToHexStringLower(mac) } },
        };
        // Its question is open for three days after the fixture was made, and expires when the server starts later.
        Assert.True(await StatusAsync(anybody.SendAsync(decision)) is HttpStatusCode.OK or HttpStatusCode.Gone);
        var report = new HttpRequestMessage(HttpMethod.Post, "/internal/jobs/run_none/status")
        {
            Content = JsonContent.Create(
                new
                {
                    event_id = "e",
                    status = "running",
                    occurred_at = "2026-11-26T00:00:00Z",
                    correlation_id = "c",
                }
            ),
            Headers = { { "X-Callback-Secret", callbackSecret } },
        };
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(anybody.SendAsync(report)));

        // The schedule has its next run, and weak spots are reported.
        var night = await root.GetFromJsonAsync<JsonElement>("/api/triggers/user/me/night");
        Assert.Equal(JsonValueKind.String, night.GetProperty("data").GetProperty("nextRunAt").ValueKind);
        var doctor = await PosternCommand.RunAsync($"doctor {where} --urls http://127.0.0.1:0", Environment);
        foreach (
            var weak in (string[])
                [
                    "agent plain: http://8.8.8.8",
                    "trigger user/me/hook: its secret",
                    "approval service default: its secret",
                ]
        )
            Assert.Contains(weak, doctor.Out, StringComparison.Ordinal);
    }

    private static async Task<HttpStatusCode> StatusAsync(Task<HttpResponseMessage> answer)
    {
        using var given = await answer;
        return given.StatusCode;
    }

    /// <summary>As a client that holds the root key signs one by itself, and as the server of 0.3.0 did.</summary>
    private static string TokenOf030(string project, params string[] scopes)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var head = Part(new { alg = "HS256", typ = "JWT" });
        var claims = Part(
            new
            {
                aud = "postern",
                iss = "postern",
                sub = project,
                pub = true,
                scopes,
                iat = now,
                exp = now + 3600,
                jti = Guid.NewGuid().ToString(),
            }
        );
        var signature = HMACSHA256.HashData(
            Encoding.UTF8.GetBytes(RootKey),
            Encoding.ASCII.GetBytes($"{head}.{claims}")
        );
        return $"{head}.{claims}.{Base64Url.EncodeToString(signature)}";

        static string Part(object value) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(value));
    }

    private static string ProjectIn(string token) =>
        JsonSerializer
            .Deserialize<JsonElement>(Base64Url.DecodeFromChars(token.Split('.')[1]))
            .GetProperty("sub")
            .GetString()!;

    private static byte[] Fixture(string name)
    {
        using var file = File.OpenRead(Path.Combine(Repository.Root, "test/Postern.Contract/Fixtures", name));
        using var plain = new GZipStream(file, CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        plain.CopyTo(bytes);
        return bytes.ToArray();
    }
}
