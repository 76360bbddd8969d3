using System.Net.Http.Headers;
using System.Text;
using Postern.Support;

namespace Postern.Tests.Http;

/// <summary>Bodies and headers as clients really send them. One door stands for all.</summary>
public sealed class BodyTests : IAsyncLifetime
{
    private const string Started =
        """{"type":"chat","externalId":"KÄSE","taskIdentifier":"echo","triggerConfig":{"basePayload":{}},"metadata":"""
        + """{"k":"Käse"}}""";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task<Answer> SendAsync(string path, byte[] body, string type, string? encoding = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _server.RootKey);
        if (type.Length > 0)
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        if (encoding is not null)
            request.Content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);
        using var response = await _server.Http.SendAsync(request);
        return new Answer(response, await response.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("application/json", "utf-8", false, null)]
    [InlineData("application/json", "utf-8", true, null)]
    [InlineData("", "utf-8", true, null)]
    [InlineData("APPLICATION/Json ;Charset=\"UTF-8\"", "utf-8", false, null)]
    [InlineData("application/json; charset=utf-16", "utf-16", false, null)]
    [InlineData("application/json", "utf-16", true, null)]
    [InlineData("application/json", "utf-16BE", true, null)]
    [InlineData("application/json; charset=ISO-8859-1", "iso-8859-1", false, null)]
    [InlineData("application/json; charset=windows-1252", "iso-8859-1", false, null)]
    [InlineData("application/json", "utf-8", false, "gzip")]
    [InlineData("application/json; charset=utf-16", "utf-16", true, "X-Gzip")]
    [InlineData("application/json", "utf-8", false, "br")]
    [InlineData("application/json", "utf-8", false, "deflate")]
    [InlineData("application/json", "utf-8", false, "identity")]
    [InlineData("application/json", "utf-8", false, "gzip, br")]
    public async Task A_body_is_understood_however_it_is_written(
        string type,
        string charset,
        bool marked,
        string? coding
    )
    {
        var encoding = Encoding.GetEncoding(charset);
        byte[] body = [.. marked ? encoding.GetPreamble() : [], .. encoding.GetBytes(Started)];
        var made = await SendAsync(
            "/api/v1/sessions",
            coding is null ? body : OddBodies.Packed(body, coding),
            type,
            coding
        );
        Assert.True(made.Status == 201, made.ToString());
        Assert.Equal("Käse", made.Json.GetProperty("metadata").GetProperty("k").GetString());
        byte[] text = [.. marked ? encoding.GetPreamble() : [], .. encoding.GetBytes("Käse")];
        var appended = await SendAsync(
            "/realtime/v1/sessions/" + Uri.EscapeDataString("KÄSE") + "/channels/side/in/append",
            coding is null ? text : OddBodies.Packed(text, coding),
            type.Replace("application/json", "text/plain", StringComparison.OrdinalIgnoreCase),
            coding
        );
        Assert.True(appended.Status == 200, appended.ToString());
    }

    [Theory]
    [InlineData("application/json; charset=utf-7", null, 415, "utf-7")]
    [InlineData("application/json; charset=shift_jis", null, 415, "shift_jis")]
    [InlineData("application/json", "zstd", 415, "gzip, deflate or br")]
    [InlineData("application/json", "gzip, gzip, gzip", 415, "gzip, deflate or br")]
    [InlineData("application/json", "gzip", 400, "not gzip")]
    [InlineData("application/json", "br", 400, "not br")]
    [InlineData("application/json; charset=utf-16", null, 400, "Invalid JSON")]
    public async Task A_body_that_is_not_understood_is_refused_and_says_why(
        string type,
        string? coding,
        int status,
        string says
    )
    {
        var refused = await SendAsync("/api/v1/sessions", Encoding.UTF8.GetBytes(Started), type, coding);
        Assert.Equal(status, refused.Status);
        Assert.Contains(says, refused.String("error"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_compressed_body_is_bounded_by_what_it_holds_and_must_be_whole()
    {
        var bomb = OddBodies.Packed(Encoding.UTF8.GetBytes(new string(' ', 40_000) + Started), "gzip");
        Assert.Equal(413, (await SendAsync("/api/v1/sessions", bomb, "application/json", "gzip")).Status);
        foreach (var coding in (string[])["gzip", "deflate", "br"])
        {
            var whole = OddBodies.Packed(Encoding.UTF8.GetBytes(Started), coding);
            Assert.Equal(
                400,
                (await SendAsync("/api/v1/sessions", whole[..(whole.Length / 2)], "application/json", coding)).Status
            );
        }
        Assert.Equal(
            0,
            await _server.Database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM session", r => r.GetInt64(0)))
        );
    }

    [Theory]
    [InlineData("appro\\u0000ved")]
    [InlineData("\\u0000approved")]
    [InlineData("approved\\ud83d")]
    public async Task A_decision_is_never_repaired_into_an_approval(string word)
    {
        var asking = await Asking.PrepareAsync(_server);
        var (run, _, request) = await asking.WaitingAsync();
        var person = await _server.KeyAsync("write:approvals");
        Assert.Equal(
            400,
            (
                await _server.PostAsync(
                    $"/api/v1/executions/{run}/approval-response",
                    $"{{\"decision\":\"{word}\"}}",
                    person
                )
            ).Status
        );
        Assert.Equal(400, (await asking.SendAsync($"{{\"requestId\":\"{request}\",\"decision\":\"{word}\"}}")).Status);
        Assert.Equal(
            400,
            (await asking.SendAsync($"{{\"requestId\":\"{request}\",\"deci\\u0000sion\":\"approved\"}}")).Status
        );
        Assert.Equal("waiting", (await asking.RunAsync(run)).GetProperty("phase").GetString());
    }

    [Theory]
    [InlineData("{\"claims\":{\"scopes\":[\"read:sessions\",{}]}}")]
    [InlineData("{\"claims\":{\"scopes\":\"read:sessions\"}}")]
    [InlineData("{\"claims\":{\"scopes\":[5]}}")]
    [InlineData("{\"claims\":[\"read:sessions\"]}")]
    [InlineData("{\"claims\":{\"scopes\":[\"read:\\u0000sessions\"]}}")]
    public async Task Scopes_that_are_no_list_of_texts_mint_nothing(string body)
    {
        var refused = await _server.PostAsync("/api/v1/auth/jwt", body);
        Assert.Equal((400, "Invalid request body"), (refused.Status, refused.String("error")));
    }

    [Theory]
    [InlineData("/realtime/v1/sessions/s/channels/z/in/append", "X-Part-Id")]
    [InlineData("/api/v1/runs", "Idempotency-Key")]
    public async Task A_header_that_is_no_ASCII_is_refused_by_its_name(string path, string header)
    {
        await _server.StartSessionAsync("s");
        foreach (var value in (string[])["\u00e9", "\u00c3\u00a9", "a\tb"])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path);
            request.Content = new StringContent("{\"agent\":\"echo\"}");
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _server.RootKey);
            request.Headers.TryAddWithoutValidation(header, value);
            using var response = await _server.Http.SendAsync(request);
            Assert.Equal(400, (int)response.StatusCode);
            Assert.Contains(header, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("/sessions/s/history")]
    [InlineData("/api/triggers")]
    [InlineData("/api/v1/sessions")]
    [InlineData("/api/v1/runs")]
    [InlineData("/api/v1/approvals")]
    public async Task A_credential_that_is_sent_in_a_wrong_way_is_told_by_a_code_in_every_family(string path)
    {
        var exposed = await _server.GetAsync($"{path}?api_key={_server.RootKey}");
        Assert.Equal(400, exposed.Status);
        Assert.Contains("\"credential_in_url\"", exposed.Text, StringComparison.Ordinal);
        var two = await _server.GetAsync(path, null, ("X-API-Key", "another"));
        Assert.Equal(400, two.Status);
        Assert.Contains("\"ambiguous_credentials\"", two.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text/event-stream", true)]
    [InlineData("TEXT/event-stream;q=0.001", true)]
    [InlineData("text/event-stream;q=1.000", true)]
    [InlineData("application/json, text/event-stream", true)]
    [InlineData("text/event-stream; Charset=\"UTF-8\"; q=0.5", true)]
    [InlineData("text/event-stream;q=0, text/event-stream;charset=utf-8", true)]
    [InlineData("text/event-stream;q=0.5x", false)]
    [InlineData("text/event-stream;q=0.1234", false)]
    [InlineData("text/event-stream;q=1e0", false)]
    [InlineData("text/event-stream;q =0.5", false)]
    [InlineData("text/event-stream;q= 0.5", false)]
    [InlineData("text/event-stream;q=", false)]
    [InlineData("text/event-stream;q=1.001", false)]
    [InlineData("text/event-stream;q=0.000", false)]
    [InlineData("text/event-stream;q=1, text/event-stream;charset=utf-8;q=0", false)]
    [InlineData("text/event-stream;charset=utf-16", false)]
    [InlineData("*/*", false)]
    public async Task History_streams_for_a_range_that_names_it_well_and_is_JSON_otherwise(string accept, bool streams)
    {
        await _server.StartSessionAsync("s");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/sessions/s/history");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _server.RootKey);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using var response = await _server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var media = response.Content.Headers.ContentType?.MediaType;
        Assert.Equal(streams ? "text/event-stream" : "application/json", media);
    }

    [Fact]
    public async Task A_message_that_is_nested_too_deep_is_refused_rather_than_kept_unseen()
    {
        await _server.StartSessionAsync("s");
        var deep = new string('[', 100) + new string(']', 100);
        var refused = await _server.PostAsync(
            "/realtime/v1/sessions/s/in/append",
            "{\"kind\":\"message\",\"payload\":{\"message\":{\"role\":\"user\",\"parts\":[{\"type\":\"data-x\","
                + $"\"data\":{deep}}}]}}}}}}"
        );
        Assert.Equal(400, refused.Status);
        Assert.Contains("nested deeper than 64", refused.String("error"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_text_block_without_a_text_is_no_message()
    {
        await _server.StartSessionAsync("s");
        foreach (var text in (string[])[",\"text\":5", ",\"text\":{}", ",\"text\":null", ""])
            Assert.Equal(
                400,
                (
                    await _server.PostAsync(
                        "/sessions/s/messages",
                        $"{{\"role\":\"user\",\"content\":[{{\"type\":\"text\"{text}}}]}}"
                    )
                ).Status
            );
        Assert.Empty((await _server.GetAsync("/sessions/s/history")).Json.GetProperty("messages").EnumerateArray());
    }

    [Theory]
    [InlineData("text/html,application/xhtml+xml,*/*;q=0.8", "text/html")]
    [InlineData("application/json", "application/json")]
    [InlineData("*/*", "application/json")]
    public async Task The_root_says_where_to_go(string accept, string type)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using var response = await _server.Http.SendAsync(request);
        Assert.Equal((200, type), ((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.Contains("/docs", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}
