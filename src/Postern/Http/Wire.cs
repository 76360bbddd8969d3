using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Postern.Http;

/// <summary>The form of values on the wire.</summary>
internal static class Wire
{
    /// <summary>
    /// Text is escaped only as JSON requires, because answers are sent as JSON or as event data, never inside HTML.
    /// </summary>
    public static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The deepest nesting of JSON in a request.</summary>
    public const int MaxDepth = 64;

    /// <summary>For stored values: a value of a request is nested deeper inside an envelope.</summary>
    public static readonly JsonDocumentOptions Kept = new() { MaxDepth = 4 * MaxDepth };

    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
        // A value of a request is nested deeper inside an answer.
        MaxDepth = 4 * MaxDepth,
    };

    /// <summary>ISO 8601 in UTC with milliseconds, from microseconds since 1970.</summary>
    public static string Iso(long microseconds) =>
        Instant(microseconds).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>The same with six digits, where instants are compared.</summary>
    public static string IsoMicroseconds(long microseconds) =>
        Instant(microseconds).ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    public static string? Iso(long? microseconds) => microseconds is { } value ? Iso(value) : null;

    public static DateTimeOffset Instant(long microseconds) =>
        DateTimeOffset.UnixEpoch.AddTicks(microseconds * TimeSpan.TicksPerMicrosecond);

    public static long Microseconds(DateTimeOffset instant) =>
        (instant - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public static long Microseconds(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>
    /// Returns the beginning of a text, without cutting a character in half: neither a database nor a client accepts
    /// half of one.
    /// </summary>
    public static string Cut(string text, int most) =>
        text.Length <= most ? text : text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)];

    /// <summary>Returns whether a header's value is the same in every charset: visible ASCII and blanks.</summary>
    public static bool IsVisible(string text) => text.All(c => c is >= ' ' and <= '~');

    /// <summary>Reads an optional instant of a query; an empty text means null.</summary>
    public static bool TryParseOptionalInstant(string text, out long? microseconds)
    {
        microseconds = null;
        if (text.Length == 0)
            return true;
        if (!TryParseInstant(text, out var instant))
            return false;
        microseconds = instant;
        return true;
    }

    /// <summary>Reads an RFC 3339 instant with an offset, or a date.</summary>
    public static bool TryParseInstant(string text, out long microseconds)
    {
        microseconds = 0;
        if (text.Length is < 10 or > 40 || !char.IsAsciiDigit(text[0]))
            return false;
        if (
            !DateTimeOffset.TryParse(
                text,
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
                out var instant
            )
        )
            return false;
        if (instant.Year is < 1970 or > 9000)
            return false;
        microseconds = Microseconds(instant);
        return true;
    }

    /// <summary>
    /// Reads a span such as <c>15m</c>, <c>1h</c>, <c>7d</c>: a whole number and s, m, h, d or w, or the words that
    /// client libraries allow.
    /// </summary>
    public static bool TryParseSpan(string text, out TimeSpan span)
    {
        span = default;
        var digits = 0;
        while (digits < text.Length && char.IsAsciiDigit(text[digits]))
            digits++;
        if (digits is 0 or > 9)
            return false;
        var seconds = SecondsOf(text[digits..].Trim());
        if (seconds == 0 || long.Parse(text.AsSpan(0, digits)) > 3_000_000_000 / seconds)
            return false;
        span = TimeSpan.FromSeconds(long.Parse(text.AsSpan(0, digits)) * seconds);
        return true;
    }

    /// <summary>Returns the length of a unit of time; 0 when it is unknown.</summary>
    private static long SecondsOf(string unit) =>
        unit switch
        {
            "s" or "sec" or "secs" or "second" or "seconds" => 1,
            "m" or "min" or "mins" or "minute" or "minutes" => 60,
            "h" or "hr" or "hrs" or "hour" or "hours" => 3600,
            "d" or "day" or "days" => 86_400,
            "w" or "week" or "weeks" => 604_800,
            _ => 0,
        };
}
