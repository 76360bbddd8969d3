using Postern.Http;

namespace Postern.History;

/// <summary>The checked query of a history.</summary>
/// <param name="Before">Messages with a smaller number; null: the newest window.</param>
/// <param name="After">Messages with a larger number, oldest first; null: backwards.</param>
internal sealed record HistoryQuery(int Limit, long? Before, long? After, bool Lean, bool Full, bool Deltas)
{
    public const int MaxLimit = 1000;
    private const int StandardLimit = 100;

    public static Checked<HistoryQuery> Read(IQueryCollection query)
    {
        var limit = query.TryGetValue("limit", out var asked) ? LimitOf(asked.ToString()) : StandardLimit;
        if (limit == 0)
            return Refusal.BadRequest("limit must be a positive integer");
        long? before = query.TryGetValue("cursor", out asked) ? PlaceOf(asked.ToString()) : null;
        if (before == 0)
            return Refusal.BadRequest("cursor must be a positive integer");
        long? after = null;
        if (query.TryGetValue("after", out asked))
        {
            if (!TryNumber(asked.ToString(), out var number))
                return Refusal.BadRequest("after must be a non-negative integer");
            if (before is not null)
                return Refusal.BadRequest("cursor and after exclude each other");
            after = number;
        }
        return new HistoryQuery(
            limit,
            before,
            after,
            query["fields"] == "items",
            query["full"] == "1",
            query["deltas"] == "1"
        );
    }

    /// <summary>A larger number is reduced to the limit, even one that fits no type. 0: invalid.</summary>
    private static int LimitOf(string text)
    {
        if (!IsDigits(text))
            return 0;
        var digits = text.TrimStart('0');
        return digits.Length > 4 ? MaxLimit
            : digits.Length == 0 ? 0
            : Math.Min(int.Parse(digits), MaxLimit);
    }

    /// <summary>A number, with or without <c>seq:</c> before it; 0: invalid.</summary>
    private static long PlaceOf(string text) =>
        TryNumber(text.StartsWith("seq:", StringComparison.Ordinal) ? text[4..] : text, out var number) ? number : 0;

    private static bool IsDigits(string? text) => !string.IsNullOrEmpty(text) && text.All(char.IsAsciiDigit);

    private static bool TryNumber(string text, out long number) =>
        long.TryParse(text, System.Globalization.NumberStyles.None, null, out number);
}
