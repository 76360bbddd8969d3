using Postern.Pages;

namespace Postern.Tests.Pages;

/// <summary>Instants are found in sentences, and nothing else is taken for one.</summary>
public sealed class SentenceTests
{
    [Theory]
    [InlineData("", "|")]
    [InlineData("since 2026-01-31T23:59:59Z.", "since |2026-01-31T23:59:59Z!|.|")]
    [InlineData(
        "2026-01-31T00:00:00.001Z 2026-02-01T00:00:00Z",
        "|2026-01-31T00:00:00.001Z!| |2026-02-01T00:00:00Z!||"
    )]
    [InlineData("on 2026-13-45T99:00:00Z", "on 2026-13-45T99:00:00Z|")]
    [InlineData("2026-01-31T23:59:59 and 2026-01-31", "2026-01-31T23:59:59 and 2026-01-31|")]
    public void An_instant_is_a_part_of_its_own(string text, string parts) =>
        Assert.Equal(parts, string.Concat(Instants.In(text).Select(p => p.Part + (p.At is null ? "|" : "!|"))));

    [Fact]
    public void The_parts_together_are_the_text_and_an_instant_is_its_microseconds()
    {
        const string text = "No worker has asked since 1970-01-01T00:00:01.5Z, or ever.";
        var parts = Instants.In(text).ToList();
        Assert.Equal(text, string.Concat(parts.Select(p => p.Part)));
        Assert.Equal(1_500_000, Assert.Single(parts, p => p.At is not null).At);
    }
}
