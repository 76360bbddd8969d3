using System.Text.Json;
using Postern.Support;

namespace Postern.Tests.Triggers;

/// <summary>Which requests pass a filter, and which filters are accepted.</summary>
public sealed class InboundFilterTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", _server.RootKey, new { kind = "pull" });
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    private Task<Answer> MakeAsync(string filter) =>
        _server.SendAsync(
            HttpMethod.Post,
            "/api/triggers/user/ada/hook",
            _server.RootKey,
            $$"""{"agent":"idle","promptTemplate":"x","maxInFlight":1000,"filter":{{filter}}}""",
            ("Content-Type", "application/json")
        );

    private async Task<bool> PassesAsync(string body, params (string, string)[] headers)
    {
        var answer = await _server.SendAsync(
            HttpMethod.Post,
            "/inbound/user/ada/hook",
            null,
            body,
            [("Content-Type", "application/json"), .. headers]
        );
        Assert.True(answer.Status == 200, answer.ToString());
        return !answer.Json.GetProperty("data").TryGetProperty("filtered", out _);
    }

    private const string Body = """
        {"action":"opened","n":1.0,"yes":true,"none":null,"user":{"login":"my-bot[bot]","type":"Bot"},
         "labels":{"app.kubernetes.io/name":"web"},"list":["a",{"k":1}]}
        """;

    [Theory]
    [InlineData("action", "\"equals\":\"opened\"", true)]
    [InlineData("action", "\"equals\":\"Opened\"", false)]
    [InlineData("n", "\"equals\":1", true)]
    [InlineData("n", "\"equals\":\"1.0\"", false)]
    [InlineData("yes", "\"equals\":true", true)]
    [InlineData("none", "\"equals\":null", true)]
    [InlineData("gone", "\"equals\":null", false)]
    [InlineData("list[1]", "\"equals\":{\"k\":1}", true)]
    [InlineData("user.type", "\"notEquals\":\"Bot\"", false)]
    [InlineData("user.type", "\"notEquals\":\"User\"", true)]
    [InlineData("gone.away", "\"notEquals\":\"Bot\"", true)]
    [InlineData("action", "\"in\":[\"opened\",7]", true)]
    [InlineData("n", "\"in\":[\"1\",1]", true)]
    [InlineData("gone", "\"in\":[null]", false)]
    [InlineData("action", "\"notIn\":[\"opened\"]", false)]
    [InlineData("gone", "\"notIn\":[null]", true)]
    [InlineData("none", "\"notEquals\":null", false)]
    [InlineData("none", "\"in\":[null]", true)]
    [InlineData("none", "\"notIn\":[null]", false)]
    [InlineData("none", "\"exists\":true", false)]
    [InlineData("none", "\"exists\":false", true)]
    [InlineData("gone", "\"exists\":true", false)]
    [InlineData("gone", "\"exists\":false", true)]
    [InlineData("action", "\"startsWith\":\"open\"", true)]
    [InlineData("n", "\"startsWith\":\"1\"", true)]
    [InlineData("gone", "\"startsWith\":\"x\"", false)]
    [InlineData("user.login", "\"matches\":\"\\\\[bot\\\\]$\"", true)]
    [InlineData("user.login", "\"matches\":\"^bot\"", false)]
    [InlineData("yes", "\"matches\":\"^true$\"", true)]
    [InlineData("user", "\"matches\":\"Bot\"", false)]
    [InlineData("gone", "\"matches\":\"\"", null)]
    [InlineData("labels[\\\"app.kubernetes.io/name\\\"]", "\"equals\":\"web\"", true)]
    [InlineData("[\\\"labels\\\"]", "\"exists\":true", true)]
    public async Task An_operator_compares_values_of_json(string path, string operation, bool? passes)
    {
        var made = await MakeAsync($$"""{"body":[{"path":"{{path}}",{{operation}}}]}""");
        Assert.True(made.Status == (passes is null ? 400 : 201), made.ToString());
        if (passes is not null)
            Assert.Equal(passes, await PassesAsync(Body));
    }

    [Theory]
    [InlineData("""{"X-Event":["push","issues"]}""", true, false, false)]
    [InlineData("""{"X-Event":{"in":["push"]}}""", true, false, false)]
    [InlineData("""{"x-event":{"notEquals":"push"}}""", false, true, true)]
    [InlineData("""[{"name":"X-Event","notIn":["push"]}]""", false, true, true)]
    [InlineData("""[{"name":"x-event","exists":false}]""", false, false, true)]
    [InlineData("""[{"path":"X-Event","startsWith":"pu"}]""", true, false, false)]
    [InlineData("""[{"name":"X-Event","matches":"^p.*h$"},{"name":"X-Event","exists":true}]""", true, false, false)]
    public async Task Headers_are_filtered_likewise(string headers, bool push, bool other, bool none)
    {
        var made = await MakeAsync($$"""{"headers":{{headers}}}""");
        Assert.True(made.Status == 201, made.ToString());
        Assert.Equal(push, await PassesAsync("{}", ("X-Event", "push")));
        Assert.Equal(other, await PassesAsync("{}", ("X-Event", "other")));
        Assert.Equal(none, await PassesAsync("{}"));
    }

    [Theory]
    [InlineData("""{"body":{}}""", "filter.body")]
    [InlineData("""{"body":["x"]}""", "filter.body[0]")]
    [InlineData("""{"body":[{"path":"a"}]}""", "filter.body[0]")]
    [InlineData("""{"body":[{"path":"a","equals":1},{"path":"a","equals":1,"exists":true}]}""", "filter.body[1]")]
    [InlineData("""{"body":[{"equals":1}]}""", "filter.body[0].path")]
    [InlineData("""{"body":[{"path":7,"equals":1}]}""", "filter.body[0].path")]
    [InlineData("""{"body":[{"path":"a..b","equals":1}]}""", "filter.body[0].path")]
    [InlineData("""{"body":[{"path":"a[\"b","equals":1}]}""", "filter.body[0].path")]
    [InlineData("""{"body":[{"path":"\ud83d","equals":1}]}""", "filter.body[0].path")]
    [InlineData("""{"body":[{"path":"a","equals":1,"note":"x"}]}""", "filter.body[0].note")]
    [InlineData("""{"body":[{"path":"a","like":"x"}]}""", "filter.body[0].like")]
    [InlineData("""{"body":[{"path":"a","equals":"\ud83d"}]}""", "filter.body[0].equals")]
    [InlineData("""{"body":[{"path":"a","equals":{"\udc00":["\u0000"]}}]}""", "filter.body[0].equals")]
    [InlineData("""{"body":[{"path":"a","in":"x"}]}""", "filter.body[0].in")]
    [InlineData("""{"body":[{"path":"a","notIn":[]}]}""", "filter.body[0].notIn")]
    [InlineData("""{"body":[{"path":"a","exists":"yes"}]}""", "filter.body[0].exists")]
    [InlineData("""{"body":[{"path":"a","startsWith":1}]}""", "filter.body[0].startsWith")]
    [InlineData("""{"body":[{"path":"a","matches":"("}]}""", "filter.body[0].matches")]
    [InlineData("""{"body":[{"path":"a","matches":"(a)\\1"}]}""", "filter.body[0].matches")]
    [InlineData("""{"body":[{"path":"a","matches":"(?=a)"}]}""", "filter.body[0].matches")]
    [InlineData("""{"body":[{"path":"a","matches":"((((a{999}){999}){999}){999}){999}"}]}""", "filter.body[0].matches")]
    [InlineData("""{"headers":"x"}""", "filter.headers")]
    [InlineData("""{"headers":{"X":"x"}}""", "filter.headers.X")]
    [InlineData("""{"headers":{"X":[]}}""", "filter.headers.X")]
    [InlineData("""{"headers":{"X":[1]}}""", "filter.headers.X")]
    [InlineData("""{"headers":{"X":["\ud83d"]}}""", "filter.headers.X")]
    [InlineData("""{"headers":{"X":{"equals":1}}}""", "filter.headers.X.equals")]
    [InlineData("""{"headers":[{"equals":"x"}]}""", "filter.headers[0].name")]
    [InlineData("""{"headers":[{"name":"X"}]}""", "filter.headers[0]")]
    [InlineData("""{"other":1}""", "filter.other")]
    public async Task A_half_formed_filter_is_refused_by_the_name_of_its_field(string filter, string field)
    {
        var made = await MakeAsync(filter);
        Assert.True(made.Status == 400, made.ToString());
        Assert.StartsWith(field + " ", made.String("error"), StringComparison.Ordinal);
        Assert.Equal(404, (await _server.GetAsync("/api/triggers/user/ada/hook")).Status);
    }

    [Fact]
    public async Task A_pattern_takes_no_time_whatever_it_is_asked()
    {
        Assert.Equal(201, (await MakeAsync("""{"body":[{"path":"a","matches":"^(a+)+$"}]}""")).Status);
        Assert.False(await PassesAsync(JsonSerializer.Serialize(new { a = new string('a', 200_000) + "b" })));
        Assert.True(await PassesAsync("""{"a":"aaa"}"""));
    }

    [Fact]
    public async Task Filters_that_earlier_versions_kept_go_on()
    {
        await MakeAsync("{}");
        await KeepAsync(
            """
            {"headers":{"X-Event":["push"]},"body":[{"path":"a","equals":"x\ud83d","note":1},{"path":"b","equals":1}]}
            """
        );
        Assert.True(await PassesAsync("""{"a":"x\ud83d","b":1}""", ("X-Event", "push")));
        Assert.False(await PassesAsync("""{"a":"\ud83d","b":1}""", ("X-Event", "push")));
        Assert.False(await PassesAsync("""{"a":"x\ud83d","b":1}"""));
        Assert.Equal(200, (await _server.GetAsync("/api/triggers")).Status);
        await KeepAsync("""{"body":[{"path":"a..b","equals":1}]}""");
        Assert.False(await PassesAsync("""{"a":1}"""));

        Task KeepAsync(string filter) =>
            _server.Database.WriteAsync(async tx =>
                await tx.ExecuteAsync("UPDATE agent_trigger SET filter = $1", filter)
            );
    }
}
