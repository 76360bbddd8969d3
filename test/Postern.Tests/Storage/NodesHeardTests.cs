using Postern.Storage;

namespace Postern.Tests.Storage;

/// <summary>How a node reads the hints of others: each once, or "check everything" when one may be missing.</summary>
public sealed class NodesHeardTests
{
    private readonly NodesHeard _heard = new();

    public NodesHeardTests() => _heard.Take([At(told: 10)]);

    [Fact]
    public void A_node_that_is_new_means_everything_once()
    {
        Assert.True(_heard.Take([At(10), new HeardHint("other", 3, 0, null, null)]).Everything);
        Assert.False(_heard.Take([At(10), new HeardHint("other", 3, 0, null, null)]).Everything);
        Assert.Equal(3, Cursor("other"));
    }

    [Fact]
    public void Hints_in_a_row_are_their_topics_and_nothing_else()
    {
        var heard = _heard.Take([At(12, 11, "a\nb"), At(12, 12, "c")]);
        Assert.Equal(["a", "b", "c"], heard.Topics.Order());
        Assert.False(heard.Everything);
        Assert.Equal(12, Cursor("node"));
    }

    [Fact]
    public void A_gap_means_everything()
    {
        var heard = _heard.Take([At(13, 11, "a"), At(13, 13, "c")]);
        Assert.True(heard.Everything);
        Assert.Equal(["a", "c"], heard.Topics.Order());
        Assert.False(_heard.Take([At(14, 14, "d")]).Everything);
    }

    [Fact]
    public void Hints_that_were_deleted_before_they_were_read_mean_everything()
    {
        Assert.True(_heard.Take([At(told: 20)]).Everything);
        Assert.False(_heard.Take([At(told: 20)]).Everything);
    }

    [Fact]
    public void A_hint_that_names_too_many_means_everything() => Assert.True(_heard.Take([At(11, 11, "*")]).Everything);

    [Fact]
    public void A_hint_from_a_notification_is_not_read_again_from_the_log()
    {
        Assert.True(_heard.IsNext("node", 11));
        var heard = _heard.Take([At(12, 11, "a"), At(12, 12, "b")]);
        Assert.Equal(["b"], heard.Topics);
        Assert.False(heard.Everything);
    }

    [Theory]
    [InlineData("node", 12)]
    [InlineData("node", 10)]
    [InlineData("unknown", 1)]
    public void A_notification_out_of_its_turn_is_left_to_the_log(string node, long number) =>
        Assert.False(_heard.IsNext(node, number));

    [Fact]
    public void A_node_that_falls_silent_means_everything_once_and_is_followed_when_it_is_back()
    {
        Assert.False(_heard.Take([At(10, silent: 2_000_000)]).Everything);
        Assert.True(_heard.Take([At(10, silent: 3_000_000)]).Everything);
        Assert.False(_heard.Take([At(10, silent: 4_000_000)]).Everything);
        var back = _heard.Take([At(11, 11, "a")]);
        Assert.Equal(["a"], back.Topics);
        Assert.False(back.Everything);
        Assert.True(_heard.Take([At(11, silent: 3_000_000)]).Everything);
    }

    [Fact]
    public void A_node_that_is_gone_is_forgotten()
    {
        _heard.Take([]);
        Assert.Empty(_heard.Cursors.Nodes);
    }

    private long Cursor(string node)
    {
        var (nodes, numbers) = _heard.Cursors;
        return numbers[Array.IndexOf(nodes, node)];
    }

    private static HeardHint At(long told, long? number = null, string? topics = null, long silent = 0) =>
        new("node", told, silent, number, topics);
}
