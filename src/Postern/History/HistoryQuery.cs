using Postern.Http;

namespace Postern.History;

/// <summary>What was asked of a history, checked.</summary>
/// <param name="Before">Messages with a smaller number; null: the newest window.</param>
/// <param name="After">Messages with a larger number, oldest first; null: backwards.</param>
internal sealed record HistoryQuery(int Limit, long? Before, long? After, bool Lean, bool Full, bool Deltas)
{
    public const int MaxLimit = 1000;
    private const int StandardLimit = 100;

    public static Checked<HistoryQuery> Read(IQueryCollection query)
    {
        var limit = StandardLimit;
        if (query.TryGetValue("limit", out var asked))
        {
            if (!IsDigits(asked))
                return Refusal.BadRequest("limit must be a positive integer");
            // Larger clamps, however large: the number may not fit any type.
            limit =
                asked.ToString().TrimStart('0') is var digits && digits.Length > 4 ? MaxLimit
                : digits.Length == 0 ? 0
                : Math.Min(int.Parse(digits), MaxLimit);
            if (limit == 0)
                return Refusal.BadRequest("limit must be a positive integer");
        }
        long? before = null;
        if (query.TryGetValue("cursor", out asked))
        {
            var text = asked.ToString();
            if (
                !TryNumber(text.StartsWith("seq:", StringComparison.Ordinal) ? text[4..] : text, out var number)
                || number == 0
            )
                return Refusal.BadRequest("cursor must be a positive integer");
            before = number;
        }
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

    private static bool IsDigits(string? text) => !string.IsNullOrEmpty(text) && text.All(char.IsAsciiDigit);

    private static bool TryNumber(string text, out long number) =>
        long.TryParse(text, System.Globalization.NumberStyles.None, null, out number);
}
