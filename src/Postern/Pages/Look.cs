using System.Text.RegularExpressions;
using Microsoft.AspNetCore.WebUtilities;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// How a person wants to see pages. It is kept in a cookie of the browser, so its content is checked like any input.
/// </summary>
internal sealed partial record Look
{
    public const string Cookie = "postern_look";
    public const string Utc = "UTC";
    private const int MaxCookie = 200;
    private readonly string _theme = Auto;
    private readonly string _zone = Utc;

    public const string Auto = "system";

    public static IReadOnlyList<string> Themes { get; } = [Auto, "light", "dark"];

    public static Look Standard { get; } = new();

    /// <summary>One of <see cref="Themes"/>.</summary>
    public string Theme
    {
        get => _theme;
        init => _theme = Themes.Contains(value, StringComparer.Ordinal) ? value : Auto;
    }

    /// <summary>The name of a zone that this machine knows, such as Europe/Berlin.</summary>
    public string Zone
    {
        get => _zone;
        init => _zone = IsZone(value) ? value : Utc;
    }

    /// <summary>Times as date and time; false: as how long ago.</summary>
    public bool IsExact { get; init; }

    public bool HasKeys { get; init; } = true;

    public static Look Of(HttpRequest request)
    {
        if (request.Cookies[Cookie] is not { Length: <= MaxCookie } text)
            return Standard;
        var said = QueryHelpers.ParseQuery(text);
        return new Look
        {
            Theme = said.GetValueOrDefault("theme").ToString(),
            Zone = said.GetValueOrDefault("zone").ToString(),
            IsExact = said.GetValueOrDefault("times") == "exact",
            HasKeys = said.GetValueOrDefault("keys") != "off",
        };
    }

    /// <summary>The text for the cookie.</summary>
    public string Text =>
        $"theme={Theme}&zone={Zone}&times={(IsExact ? "exact" : "ago")}&keys={(HasKeys ? "on" : "off")}";

    /// <summary>An instant in the person's zone, with the zone.</summary>
    public string When(long at)
    {
        if (Zone == Utc)
            return Wire.Iso(at);
        var instant = TimeZoneInfo.ConvertTime(
            DateTimeOffset.UnixEpoch.AddMicroseconds(at),
            TimeZoneInfo.FindSystemTimeZoneById(Zone)
        );
        return $"{instant:yyyy-MM-dd HH:mm:ss zzz} {Zone}";
    }

    public static bool IsZone(string name) =>
        name == Utc || (ZoneName().IsMatch(name) && TimeZoneInfo.TryFindSystemTimeZoneById(name, out _));

    // No dots: a name must not become a path on this machine.
    [GeneratedRegex(
        "^[A-Za-z0-9_+-]{1,30}(/[A-Za-z0-9_+-]{1,30}){0,2}$",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        1000
    )]
    private static partial Regex ZoneName();
}
