using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Postern.Triggers;

namespace Postern.Tests.Triggers;

public sealed class PromptTemplateTests
{
    private static TemplateValues Values(string body, Dictionary<string, string>? headers = null) =>
        new()
        {
            Method = "POST",
            Path = "/inbound/user/u/t",
            Query = "a=1&b=2",
            QueryValues = new Dictionary<string, string> { ["a"] = "1", ["b"] = "{{body}}" },
            Headers =
                headers ?? new Dictionary<string, string> { ["x-event"] = "push", ["authorization"] = "[REDACTED]" },
            Body = body,
            BodyJson = body.StartsWith("{\"", StringComparison.Ordinal)
                ? JsonSerializer.Deserialize<JsonElement>(body)
                : null,
            SourceIp = "10.0.0.1",
            Timestamp = "2026-03-01T00:00:00.000Z",
            ScheduledTime = "",
        };

    [Theory]
    [InlineData(
        "{{method}} {{path}} {{query}} {{query.a}} {{sourceIp}} {{timestamp}}",
        "POST /inbound/user/u/t a=1&b=2 1 10.0.0.1 2026-03-01T00:00:00.000Z"
    )]
    [InlineData("{{ body.a.b[1].c }}", "deep")]
    [InlineData("{{body.a.n}} {{body.a.f}} {{body.a.o}} {{body.a.z}}|", "1.50 true {\"k\": 1} |")]
    [InlineData("{{body.none}}{{body.a.b[9]}}{{body.a.b[x]}}{{query.none}}{{header.none}}{{scheduledTime}}|", "|")]
    [InlineData("{{header.X-Event}} {{header.authorization}}", "push [REDACTED]")]
    [InlineData("{{unknown}} {{}} {{ }} {{bodyX}} {{headers.x}}", "{{unknown}} {{}} {{ }} {{bodyX}} {{headers.x}}")]
    [InlineData("{{query.b}}", "{{body}}")]
    [InlineData("{{{{method}}}}", "{{POST}}")]
    [InlineData("{{method", "{{method")]
    [InlineData("}}{{method}}{{", "}}POST{{")]
    [InlineData("$& $1 $$ {{method}} $&", "$& $1 $$ POST $&")]
    public void Tokens_are_replaced_in_one_pass(string template, string prompt) =>
        Assert.Equal(
            prompt,
            PromptTemplate.Render(
                template,
                Values("{\"a\":{\"b\":[0,{\"c\":\"deep\"}],\"n\":1.50,\"f\":true,\"o\":{\"k\": 1},\"z\":null}}")
            )
        );

    [Theory]
    [InlineData("{{body.none ?? body.zero ?? body.empty ?? body.there}}", "yes")]
    [InlineData("{{ body.none ?? query.none ?? \"a \\\"text\\\"\" }}|", "a \"text\"|")]
    [InlineData("{{body.none ?? 'one'}}{{query.a ?? \"2\"}}{{header.none ?? header.x-event}}", "one1push")]
    [InlineData("{{body.none ?? body.zero}}|{{body.none ?? \"\"}}|", "||")]
    [InlineData("{{body.false ?? \"no\"}} {{body.nought ?? \"no\"}}", "false 0")]
    [InlineData("{{body[\"app.kubernetes.io/name\"]}} {{body['a}}b']}} {{body[\"q\\\"\"].x[1]}}", "web braces 2")]
    [InlineData("{{query[\"a\"]}} {{header['X-Event']}}", "1 push")]
    [InlineData(
        "{{\"alone\"}} {{body.there ??}} {{?? body.there}} {{body.there ?? nothing}}",
        "{{\"alone\"}} {{body.there ??}} {{?? body.there}} {{body.there ?? nothing}}"
    )]
    [InlineData("{{body[\"open}} {{body.there}}", "|")]
    [InlineData("{{body.a {{method}} {{query.a {{method}}", "{{body.a POST {{query.a POST")]
    public void The_first_value_that_is_there_counts_and_any_name_can_be_reached(string template, string prompt)
    {
        const string body = """
            {"there":"yes","zero":null,"empty":"","false":false,"nought":0,"app.kubernetes.io/name":"web",
            "a}}b":"braces","q\"":{"x":[1,2]}}
            """;
        var values = Values("x") with { BodyJson = JsonSerializer.Deserialize<JsonElement>(body) };
        if (prompt == "|")
            prompt = " yes";
        Assert.Equal(prompt, PromptTemplate.Render(template, values));
    }

    [Theory]
    [InlineData("{{body.a}}", null)]
    [InlineData("{{body.zero}}", null)]
    [InlineData("{{body.empty}}", null)]
    [InlineData("{{body.there}}#{{body.a}}", null)]
    [InlineData("{{header.none}}", null)]
    [InlineData("  ", null)]
    [InlineData("{{body.there}}#{{body.a ?? body.there}}", "yes#yes")]
    [InlineData("{{body.there}}#{{body.a ?? \"-\"}}", "yes#-")]
    [InlineData("{{body.there}}#{{body.a ?? \"\"}}", "yes#")]
    [InlineData("fixed", "fixed")]
    [InlineData("{{header.authorization}}", null)]
    [InlineData("{{unknown.token}}", null)]
    [InlineData("{{body.blank}}", null)]
    [InlineData("{{body.there}} {{ }", "yes {{ }")]
    public void A_key_of_which_a_part_leads_nowhere_names_nothing(string template, string? key)
    {
        var values = Values("x") with
        {
            BodyJson = JsonSerializer.Deserialize<JsonElement>(
                """{"there":"yes","zero":null,"empty":"","blank":" "}"""
            ),
        };
        Assert.Equal(key, PromptTemplate.RenderKey(template, values));
    }

    [Theory]
    [InlineData("{{headers}}")]
    [InlineData("$&")]
    [InlineData("$$5")]
    [InlineData("\ud800 lone")]
    [InlineData("{{body}}{{body}}")]
    public void Inserted_text_is_not_read_as_a_template(string text) =>
        Assert.Equal(
            $"<{text}> and <{text}> POST",
            PromptTemplate.Render("<{{body}}> and <{{body}}> {{method}}", Values(text))
        );

    [Fact]
    public void The_inserted_text_never_changes_the_rest() =>
        Prop.ForAll(
                ArbMap.Default.ArbFor<string>(),
                ArbMap.Default.ArbFor<string>(),
                ArbMap.Default.ArbFor<string>(),
                (before, inserted, after) =>
                {
                    // The text of a template without tokens.
                    var (head, tail) = (Plain(before), Plain(after));
                    var body = (inserted ?? "") + "{{method}}{{headers}}$&}}{{";
                    return PromptTemplate.Render(head + "{{body}}" + tail, Values("x" + body))
                        == head + "x" + body + tail;
                }
            )
            .QuickCheckThrowOnFailure();

    [Fact]
    public void Large_bodies_and_prompts_are_bounded()
    {
        Assert.Null(PromptTemplate.Render("{{body}}", Values(new string('b', 262_144))));
        Assert.Equal(100_000, PromptTemplate.Render("{{body}}", Values(new string('b', 100_000)))!.Length);
        Assert.Null(PromptTemplate.Render("{{body}}!", Values(new string('b', 100_000))));
        var many = string.Concat(Enumerable.Repeat("{{", 5000));
        Assert.Equal(many, PromptTemplate.Render(many, Values("x")));
    }

    private static string Plain(string? text) =>
        (text ?? "").Replace("{", "(", StringComparison.Ordinal).Replace("}", ")", StringComparison.Ordinal);
}
