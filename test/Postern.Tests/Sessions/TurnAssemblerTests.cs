using System.Text;
using System.Text.Json;
using Postern.Sessions;

namespace Postern.Tests.Sessions;

/// <summary>A turn's message is the same wherever its assembly was interrupted.</summary>
public sealed class TurnAssemblerTests
{
    private static readonly string[] Turn =
    [
        """{"type":"start","messageId":"m"}""",
        """{"type":"text-start","id":"0"}""",
        """{"type":"text-delta","id":"0","delta":"one \ud83d"}""",
        """{"type":"text-delta","id":"0","delta":"\ude00 two \\ud83d"}""",
        """{"type":"text-delta","id":"0","delta":""}""",
        """{"type":"text-delta","id":"0","delta":" three\ud83d"}""",
        """{"type":"text-end","id":"0"}""",
        """{"type":"tool-input-available","toolCallId":"c","toolName":"t","input":{"a":"\ud83d","b":[1, 2]}}""",
        """{"type":"tool-output-available","toolCallId":"c","output":"\u0000ok"}""",
        "\"not a chunk\"",
        """{"type":"text-delta","id":"1","text":"\ude00four"}""",
        """{"type":"error","errorText":"five\ud83d"}""",
        """{"type":"text-delta","id":"2","delta":"six"}""",
        """{"type":"start-step"}""",
        """{"type":"reasoning-start","id":"2"}""",
        """{"type":"reasoning-delta","id":"2","delta":"hm\ud83d"}""",
        """{"type":"reasoning-delta","id":"2","delta":"\ude00"}""",
        """{"type":"tool-input-start","toolCallId":"d","toolName":"t"}""",
        """{"type":"tool-input-available","toolCallId":"d","toolName":"t","input":{}}""",
        """{"type":"tool-output-available","toolCallId":"d","output":1,"preliminary":true}""",
        """{"type":"data-progress","id":"p","data":1}""",
        """{"type":"tool-output-available","toolCallId":"d","output":2,"preliminary":true}""",
        """{"type":"data-progress","id":"q","data":5}""",
        """{"type":"data-progress","id":"p","data":2}""",
        """{"type":"tool-output-available","toolCallId":"d","output":3}""",
        """{"type":"tool-output-available","toolCallId":"d","output":4,"preliminary":true}""",
        """{"type":"tool-input-error","toolCallId":"e","toolName":"u","input":"?","errorText":"no such input"}""",
        """{"type":"tool-input-available","toolCallId":"f","toolName":"u","input":1}""",
        """{"type":"tool-output-error","toolCallId":"f","errorText":"no such city"}""",
        """{"type":"tool-input-available","toolCallId":"g","toolName":"u","input":1}""",
        """{"type":"tool-approval-request","approvalId":"a","toolCallId":"g"}""",
        """{"type":"tool-output-denied","toolCallId":"g"}""",
        """{"type":"source-url","sourceId":"s","url":"https://example.com/","title":"half \ud83d"}""",
        """{"type":"source-document","sourceId":"s","mediaType":"text/plain","title":"t"}""",
        """{"type":"file","url":"data:,x","mediaType":"text/plain"}""",
        """{"type":"data-chart","data":{"a\u0000":1}}""",
        """{"type":"data-note","data":1,"transient":true}""",
        """{"type":"from-the-future","delta":"?"}""",
        """{"type":"finish-step"}""",
        """{"type":"finish"}""",
    ];

    /// <summary>Every type of chunk that version 7.0.173 of the npm package <c>ai</c> declares.</summary>
    [Theory]
    [InlineData(
        "abort custom error file finish finish-step message-metadata reasoning-delta reasoning-end reasoning-file"
    )]
    [InlineData("reasoning-start reset-step source-document source-url start start-step steering-message text-delta")]
    [InlineData(
        "text-end text-start tool-approval-request tool-approval-response tool-input-available tool-input-delta"
    )]
    [InlineData("tool-input-error tool-input-start tool-output-available tool-output-denied tool-output-error data-x")]
    public void Every_published_type_of_chunk_is_known(string types) =>
        Assert.All(types.Split(' '), type => Assert.True(TurnAssembler.Knows(type), type));

    [Theory]
    [InlineData(
        """{"type":"tool-input-error","toolCallId":"c","toolName":"t","input":1,"errorText":"bad"}""",
        """[{"type":"toolCall","id":"c","name":"t","arguments":1},"""
            + """{"type":"toolResult","toolCallId":"c","output":"bad","isError":true}]"""
    )]
    [InlineData("""{"type":"custom","kind":"acme.card"}""", """[{"type":"custom","kind":"acme.card"}]""")]
    [InlineData(
        """{"type":"reasoning-file","url":"data:,x","mediaType":"image/png"}""",
        """[{"type":"reasoning-file","url":"data:,x","mediaType":"image/png"}]"""
    )]
    [InlineData(
        """{"type":"steering-message","id":"u","parts":[{"type":"text","text":"no"}]}""",
        """[{"type":"steering-message","id":"u","parts":[{"type":"text","text":"no"}]}]"""
    )]
    [InlineData(
        """{"type":"tool-approval-response","approvalId":"a","approved":true}""",
        """[{"type":"toolApprovalResponse","approvalId":"a","approved":true}]"""
    )]
    [InlineData(
        """{"type":"tool-output-available","toolCallId":"c","output":1,"preliminary":true}""",
        """[{"type":"toolResult","toolCallId":"c","output":1}]"""
    )]
    public void A_chunk_alone_is_a_message(string chunk, string message) =>
        Assert.Equal(message, Normal(Fold([chunk], [])));

    [Fact]
    public void A_call_has_one_result_which_is_the_last()
    {
        string[] turn =
        [
            """{"type":"tool-output-available","toolCallId":"c","output":1}""",
            Delta("0", "a"),
            """{"type":"tool-output-error","toolCallId":"c","errorText":"after all"}""",
        ];
        Assert.Equal(
            """[{"type":"toolResult","toolCallId":"c","output":"after all","isError":true},"""
                + """{"type":"text","text":"a"}]""",
            Normal(Fold(turn, []))
        );
        // An existing message is not written again, and the result is the same.
        Assert.Equal(
            """[{"type":"toolResult","toolCallId":"c","output":1},{"type":"text","text":"a"}]""",
            Normal(Fold(turn, [2]))
        );
    }

    [Fact]
    public void A_step_that_is_taken_back_leaves_nothing()
    {
        const string call = """{"type":"tool-input-available","toolCallId":"c","toolName":"t","input":1}""";
        string[] turn =
        [
            Delta("0", "kept"),
            """{"type":"start-step"}""",
            Delta("1", "not"),
            call,
            """{"type":"reset-step"}""",
            Delta("1", "so"),
            call,
        ];
        Assert.Equal(
            """[{"type":"text","text":"kept"},{"type":"text","text":"so"},"""
                + """{"type":"toolCall","id":"c","name":"t","arguments":1}]""",
            Normal(Fold(turn, []))
        );
    }

    [Fact]
    public void An_interrupted_fold_gives_the_same_message()
    {
        var whole = Fold(Turn, []);
        Assert.Equal(
            """[{"type":"text","text":"one \uD83D\uDE00 two \\ud83d three�"},"""
                + """{"type":"toolCall","id":"c","name":"t","arguments":{"a":"�","b":[1,2]}},"""
                + """{"type":"toolResult","toolCallId":"c","output":"ok"},{"type":"text","text":"�four"},"""
                + """{"type":"error","text":"five�"},{"type":"text","text":"six"},"""
                + """{"type":"reasoning","text":"hm\uD83D\uDE00"},"""
                + """{"type":"toolCall","id":"d","name":"t","arguments":{}},"""
                + """{"type":"toolResult","toolCallId":"d","output":3},"""
                + """{"type":"toolCall","id":"e","name":"u","arguments":"?"},"""
                + """{"type":"toolResult","toolCallId":"e","output":"no such input","isError":true},"""
                + """{"type":"toolCall","id":"f","name":"u","arguments":1},"""
                + """{"type":"toolResult","toolCallId":"f","output":"no such city","isError":true},"""
                + """{"type":"toolCall","id":"g","name":"u","arguments":1},"""
                + """{"type":"toolApprovalRequest","approvalId":"a","toolCallId":"g"},"""
                + """{"type":"toolResult","toolCallId":"g","output":"denied","isError":true},"""
                + """{"type":"source-url","sourceId":"s","url":"https://example.com/","title":"half �"},"""
                + """{"type":"source-document","sourceId":"s","mediaType":"text/plain","title":"t"},"""
                + """{"type":"file","url":"data:,x","mediaType":"text/plain"},{"type":"data-chart","data":{"a":1}},"""
                + """{"type":"data-progress","id":"q","data":5},{"type":"data-progress","id":"p","data":2}]""",
            Normal(whole)
        );
        for (var first = 0; first <= Turn.Length; first++)
        for (var second = first; second <= Turn.Length; second++)
            Assert.Equal(whole, Fold(Turn, [first, second]));
    }

    [Fact]
    public void A_delta_for_a_closed_text_begins_a_new_text()
    {
        string[] turn = [Delta("0", "a"), Delta("1", "b"), Delta("0", "c"), Delta("1", "d"), Delta("0", "e")];
        Assert.Equal("""[{"type":"text","text":"ace"},{"type":"text","text":"bd"}]""", Normal(Fold(turn, [])));
        Assert.Equal(
            """[{"type":"text","text":"a"},{"type":"text","text":"bd"},{"type":"text","text":"ce"}]""",
            Normal(Fold(turn, [2]))
        );
    }

    [Fact]
    public void A_turn_that_said_nothing_has_no_message()
    {
        string[] silent = ["""{"type":"start"}""", "\"text\"", "17", """{"type":"text-delta","id":"0","delta":""}"""];
        Assert.Equal("", Fold(silent, []));
        Assert.Equal("", Fold(silent, [2]));
    }

    [Fact]
    public void Beyond_its_bound_only_errors_are_shown()
    {
        const string error = """{"type":"error","errorText":"why"}""";
        string[] turn = [Delta("0", "a"), Delta("0", new string('x', 500)), Delta("0", "b"), error];
        var expected =
            """[{"type":"text","text":"a"},{"type":"error","text":"why"},"""
            + """{"type":"text","text":"\n...(cut: a message is made of the first 200 bytes of a turn)..."}]""";
        Assert.Equal(expected, Normal(Fold(turn, [], most: 200)));
        Assert.Equal(expected, Normal(Fold(turn, [2], most: 200)));
        Assert.Equal(
            """[{"type":"text","text":"\n...(cut: a message is made of the first 10 bytes of a turn)..."}]""",
            Normal(Fold(turn[..1], [], most: 10))
        );
    }

    private static string Delta(string id, string text) =>
        JsonSerializer.Serialize(
            new
            {
                type = "text-delta",
                id,
                delta = text,
            }
        );

    /// <param name="turn">The records of the turn.</param>
    /// <param name="cuts">Where the assembly is interrupted.</param>
    /// <param name="most">Its limit.</param>
    private static string Fold(string[] turn, int[] cuts, long most = 0)
    {
        FoldedTurn? before = null;
        var head = new List<byte>();
        var at = 0;
        foreach (var cut in cuts)
        {
            var part = new TurnAssembler(most, before);
            for (; at < cut; at++)
                Add(part, turn[at]);
            var (json, now) = part.Beginning(0, at);
            head.AddRange(json.Span);
            before = now;
        }
        var rest = new TurnAssembler(most, before);
        for (; at < turn.Length; at++)
            Add(rest, turn[at]);
        return rest.End() is { } end ? Encoding.UTF8.GetString([.. head, .. end]) : "";
    }

    private static void Add(TurnAssembler fold, string data)
    {
        var body = Encoding.UTF8.GetBytes($"{{\"data\":{data},\"id\":\"r\"}}");
        fold.Add(body, body.Length);
    }

    private static string Normal(string json)
    {
        using var parsed = JsonDocument.Parse(json);
        return JsonSerializer.Serialize(parsed.RootElement, Postern.Http.Wire.Json);
    }
}
