using System.Text.Json;
using Postern.Http;

namespace Postern.Tests.Http;

/// <summary>A record is read by the attributes that document it.</summary>
public sealed class RecordReaderTests
{
    [Fact]
    public void A_missing_or_null_member_has_its_default()
    {
        var (read, refusal) = Read("""{ "name": " a ", "kind": null, "inner": { "code": "c" } }""");
        Assert.Null(refusal);
        Assert.Equal(("a", "one", 7, null, true), (read.Name, read.Kind, read.Count, read.At, read.Enabled));
        Assert.Equal("c", read.Inner!.Code);
        Assert.Null(read.Words);
    }

    [Fact]
    public void All_faults_are_reported_at_once_with_unknown_names_last()
    {
        var (_, refusal) = Read(
            """
            {
              "more": 1, "kind": "three", "count": 11, "at": "soon", "words": ["ab", "abcd"],
              "enabled": 1, "inner": { "else": 1 }
            }
            """
        );
        Assert.Equal(
            "name is required; kind must be one of one, two; count must be a whole number from 1 to 10; at must be "
                + "an ISO 8601 date; "
                + "words[1] must be a string of 1 to 3 characters; enabled must be true or false; inner.code is "
                + "required; "
                + "inner.else is not a known field; more is not a known field",
            refusal!.Message
        );
    }

    [Fact]
    public void A_record_that_is_not_strict_takes_other_members()
    {
        using var json = JsonDocument.Parse("""{ "text": "t", "more": 1 }""");
        var fields = new Fields(json.RootElement);
        Assert.Equal("t", fields.Read<Lenient>().Text);
        Assert.Null(fields.Refusal());
    }

    [Fact]
    public void The_schema_says_what_is_read()
    {
        var schemas = new Schemas();
        schemas.Of(typeof(Sample), isRead: true);
        var schema = schemas.Components()["Sample"]!;
        Assert.Equal("""["name"]""", schema["required"]!.ToJsonString());
        Assert.Equal("false", schema["additionalProperties"]!.ToJsonString());
        Assert.Equal(
            """{"type":["integer","null"],"minimum":1,"maximum":10,"description":"How many.","default":7}""",
            schema["properties"]!["count"]!.ToJsonString()
        );
    }

    [Fact]
    public void Maps_are_read_by_the_names_that_the_caller_chooses()
    {
        var fields = new Fields(
            JsonSerializer.Deserialize<JsonElement>(
                """
                {
                  "inners": { "a": { "code": "c" }, "b": { "code": "" }, "c": 1 },
                  "spans": { "x": 3, "y": 9, "z": null }
                }
                """
            )
        );
        var read = fields.Read<Maps>();
        Assert.Equal(("c", 3), (read.Inners!["a"].Code, read.Spans!["x"]));
        Assert.Equal(["x"], read.Spans.Keys);
        Assert.Equal(
            "inners.b.code must not be empty; inners.c must be an object; spans.y must be a whole number from 1 to 5",
            fields.Refusal()!.Message
        );
    }

    [Fact]
    public void A_fault_of_a_part_is_a_fault_of_the_whole()
    {
        var fields = new Fields(
            JsonSerializer.Deserialize<JsonElement>("""{ "name": "a", "inner": { "code": "c" } }""")
        );
        fields.Read<Sample>();
        Assert.Null(fields.Part("at"));
        var part = fields.Part("inner")!;
        part.Fault("code", "is taken");
        Assert.Same(part, fields.Part("inner"));
        Assert.Equal(("code", "is taken"), part.Faults.Single());
        Assert.Equal("inner.code is taken", fields.Refusal()!.Message);
    }

    private static (Sample Read, Refusal? Refusal) Read(string text)
    {
        var fields = new Fields(JsonSerializer.Deserialize<JsonElement>(text));
        return (fields.Read<Sample>(), fields.Refusal());
    }

    [Strict]
    private sealed record Sample(
        [Text("A name.", 1, 5, Trims = true)] string Name,
        [Word("A kind.", "one", "two", Default = "one")] string Kind,
        [Whole("How many.", 1, 10, Default = 7)] long Count,
        [Instant("When.")] long? At,
        [Texts("Words.", 2, 3)] IReadOnlyList<string>? Words,
        [Member("Whether.", Default = true)] bool Enabled,
        [Member("More.")] Inner? Inner
    );

    [Strict]
    private sealed record Inner([Text("A code.", 1, 5)] string Code);

    private sealed record Maps(
        [Map("Records.", 3)] IReadOnlyDictionary<string, Inner>? Inners,
        [Map("Numbers.", 3, Min = 1, Max = 5)] IReadOnlyDictionary<string, long>? Spans
    );

    private sealed record Lenient([Text("A text.", 1, 5)] string Text);
}
