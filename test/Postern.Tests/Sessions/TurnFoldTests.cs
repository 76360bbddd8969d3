using System.Text;
using System.Text.Json;
using Postern.Sessions;

namespace Postern.Tests.Sessions;

/// <summary>A turn's message is the same wherever its fold was interrupted.</summary>
public sealed class TurnFoldTests
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
    ];

    [Fact]
    public void An_interrupted_fold_gives_the_same_message()
    {
        var whole = Fold(Turn, []);
        Assert.Equal(
            """[{"type":"text","text":"one \uD83D\uDE00 two \\ud83d three�"},"""
            + """{"type":"toolCall","id":"c","name":"t","arguments":{"a":"�","b":[1,2]}},"""
            + """{"type":"toolResult","toolCallId":"c","output":"ok"},{"type":"text","text":"�four"},"""
            + """{"type":"error","text":"five�"},{"type":"text","text":"six"}]""",
            Normal(whole));
        for (var first = 0; first <= Turn.Length; first++)
            for (var second = first; second <= Turn.Length; second++) Assert.Equal(whole, Fold(Turn, [first, second]));
    }

    [Fact]
    public void What_comes_for_a_text_that_was_closed_begins_one_of_its_own()
    {
        string[] turn = [Delta("0", "a"), Delta("1", "b"), Delta("0", "c"), Delta("1", "d"), Delta("0", "e")];
        Assert.Equal("""[{"type":"text","text":"ace"},{"type":"text","text":"bd"}]""", Normal(Fold(turn, [])));
        Assert.Equal(
            """[{"type":"text","text":"a"},{"type":"text","text":"bd"},{"type":"text","text":"ce"}]""",
            Normal(Fold(turn, [2])));
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
        var expected = """[{"type":"text","text":"a"},{"type":"error","text":"why"},"""
            + """{"type":"text","text":"\n...(cut: a message is made of the first 200 bytes of a turn)..."}]""";
        Assert.Equal(expected, Normal(Fold(turn, [], most: 200)));
        Assert.Equal(expected, Normal(Fold(turn, [2], most: 200)));
        Assert.Equal(
            """[{"type":"text","text":"\n...(cut: a message is made of the first 10 bytes of a turn)..."}]""",
            Normal(Fold(turn[..1], [], most: 10)));
    }

    private static string Delta(string id, string text) =>
        JsonSerializer.Serialize(new { type = "text-delta", id, delta = text });

    /// <param name="turn">What is said.</param>
    /// <param name="cuts">Where the fold is interrupted.</param>
    /// <param name="most">Its bound.</param>
    private static string Fold(string[] turn, int[] cuts, long most = 0)
    {
        FoldedTurn? before = null;
        var head = new List<byte>();
        var at = 0;
        foreach (var cut in cuts)
        {
            var part = new TurnFold(most, before);
            for (; at < cut; at++) Add(part, turn[at]);
            var (json, now) = part.Beginning(0, at);
            head.AddRange(json.Span);
            before = now;
        }
        var rest = new TurnFold(most, before);
        for (; at < turn.Length; at++) Add(rest, turn[at]);
        return rest.End() is { } end ? Encoding.UTF8.GetString([.. head, .. end]) : "";
    }

    private static void Add(TurnFold fold, string data)
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
