using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Triggers;

/// <summary>A body sent to a trigger is understood or refused, never taken as empty.</summary>
public sealed class InboundBodyTests : IAsyncLifetime
{
    private const string Json = "application/json";
    private const string Form = "application/x-www-form-urlencoded";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", _server.RootKey, new { kind = "pull" });
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private async Task MakeAsync(object config)
    {
        var made = await _server.PostAsync("/api/triggers/user/ada/hook", config);
        Assert.True(made.Status == 201, made.ToString());
    }

    private Task<Answer> SendAsync(byte[] body, string? type, params (string, string)[] headers) =>
        _server.SendAsync(
            HttpMethod.Post,
            "/inbound/user/ada/hook",
            null,
            body,
            type is null ? headers : [("Content-Type", type), .. headers]
        );

    private async Task<string> PromptOfAsync(Answer answer)
    {
        Assert.True(answer.Status == 200, answer.ToString());
        var id = answer.Json.GetProperty("data").GetProperty("requestId").GetString();
        var content = await _server.Database.ReadAsync(tx =>
            tx.FirstAsync(
                "SELECT CAST(m.content AS text) FROM message m JOIN capture c ON c.session = m.session WHERE c.id = $1",
                r => r.GetString(0),
                id!
            )
        );
        return JsonDocument.Parse(content!).RootElement[0].GetProperty("text").GetString()!;
    }

    public static TheoryData<byte[], string?, string?> Spellings()
    {
        const string text = """{"action":"opened","title":"Käse"}""";
        var plain = Encoding.UTF8.GetBytes(text);
        var rows = new TheoryData<byte[], string?, string?>
        {
            { plain, Json, null },
            { plain, null, null },
            { plain, "Application/Vnd.GitHub+JSON; charset=\"UTF-8\"", null },
            { [0xEF, 0xBB, 0xBF, .. plain], Json, null },
            { Encoding.Unicode.GetBytes(text), "application/json; charset=utf-16", null },
            { [0xFE, 0xFF, .. Encoding.BigEndianUnicode.GetBytes(text)], Json, null },
            { Encoding.Latin1.GetBytes(text), "application/json;charset=ISO-8859-1", null },
            { Encoding.Latin1.GetBytes(text), "application/json; charset=windows-1252", null },
            { Encoding.UTF8.GetBytes("action=opened&title=K%C3%A4se"), Form, null },
            { Encoding.UTF8.GetBytes("payload=" + Uri.EscapeDataString(text)), Form + "; charset=utf-8", null },
        };
        foreach (var coding in (string[])["gzip", "deflate", "br"])
            rows.Add(OddBodies.Packed(plain, coding), Json, coding);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Spellings))]
    public async Task A_body_means_the_same_however_it_is_spelt(byte[] body, string? type, string? coding)
    {
        await MakeAsync(
            new
            {
                agent = "idle",
                promptTemplate = "{{body.title}}",
                filter = new { body = new[] { new { path = "action", equals = "opened" } } },
                webhookAuth = new { scheme = "github", secret = "secret s" },
            }
        );
        var signature = "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData("secret s"u8, body));
        var answer = await SendAsync(
            body,
            type,
            [("X-Hub-Signature-256", signature), .. coding is null ? [] : new[] { ("Content-Encoding", coding) }]
        );
        Assert.Equal("Käse", await PromptOfAsync(answer));
        var id = answer.Json.GetProperty("data").GetProperty("requestId").GetString();
        var capture = (await _server.GetAsync($"/api/triggers/user/ada/hook/requests/{id}")).Json.GetProperty("data");
        Assert.Contains("opened", capture.GetProperty("body").GetString(), StringComparison.Ordinal);
        var again = await _server.PostAsync($"/api/triggers/user/ada/hook/requests/{id}/replay", null);
        Assert.Equal(202, again.Status);
        Assert.Equal(
            2,
            await _server.Database.ReadAsync(tx =>
                tx.FirstAsync(
                    "SELECT COUNT(*) FROM message WHERE CAST(content AS text) LIKE '%K_se%'",
                    r => r.GetInt64(0)
                )
            )
        );
    }

    [Fact]
    public async Task A_NUL_in_the_query_is_dropped_and_a_payload_is_the_body()
    {
        await MakeAsync(new { agent = "idle", promptTemplate = "{{query.a}} {{body}}" });
        var answer = await _server.SendAsync(
            HttpMethod.Post,
            "/inbound/user/ada/hook?a=x%00y",
            null,
            "payload=%7B%22a%22%3A1%7D"u8.ToArray(),
            ("Content-Type", Form)
        );
        Assert.Equal("xy {\"a\":1}", await PromptOfAsync(answer));
    }

    [Fact]
    public async Task A_form_is_an_object_of_its_fields()
    {
        await MakeAsync(new { agent = "idle", promptTemplate = "{{body.a}} {{body.b[1]}} {{body[\"c d\"]}} {{body}}" });
        var form = "a=1%00+2&b=x&b=y&c+d=%F0%9F%98%80&f"u8.ToArray();
        Assert.Equal(
            "1 2 y \U0001F600 a=1%00+2&b=x&b=y&c+d=%F0%9F%98%80&f",
            await PromptOfAsync(await SendAsync(form, Form))
        );
    }
}
