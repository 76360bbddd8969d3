using System.Globalization;

namespace Postern.Pages;

/// <summary>A test that was sent, once or twice, with its answers.</summary>
internal sealed record TestSent(IReadOnlyList<TestAnswer> Answers)
{
    /// <summary>The answers in the form of the query of the page that shows them.</summary>
    public string Query
    {
        get
        {
            var statuses = string.Join(',', Answers.Select(a => a.Status.ToString(CultureInfo.InvariantCulture)));
            return Answers[0].Capture is { } capture
                ? $"sent={statuses}&capture={Uri.EscapeDataString(capture)}"
                : "sent=" + statuses;
        }
    }

    /// <summary>Reads the statuses of an address; empty when there are none, or when they are not valid.</summary>
    public static IReadOnlyList<int> StatusesOf(string sent)
    {
        var parts = sent.Split(',');
        return sent.Length is 3 or 7 && parts.Length <= 2 && parts.All(p => p.Length == 3 && p.All(char.IsAsciiDigit))
            ? [.. parts.Select(p => int.Parse(p, CultureInfo.InvariantCulture))]
            : [];
    }
}
