using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace Postern.Relay.Server;

/// <summary>How long a caller wants to wait (RFC 7240): <c>wait=0..55</c> or <c>respond-async</c>.</summary>
/// <param name="Wait">How long.</param>
/// <param name="Applied">What is answered in <c>Preference-Applied</c>; null when nothing was asked for.</param>
internal readonly record struct Preference(TimeSpan Wait, string? Applied)
{
    private const int Longest = 55;

    /// <summary>
    /// Returns the first of these preferences that can be read. The others are ignored, as the RFC says.
    /// </summary>
    public static Preference Of(StringValues prefer, TimeSpan standard)
    {
        foreach (var word in prefer.SelectMany(p => (p ?? "").Split(',', ';')).Select(p => p.Trim()))
        {
            if (word.Equals("respond-async", StringComparison.OrdinalIgnoreCase))
                return new(TimeSpan.Zero, "respond-async");
            if (
                word.StartsWith("wait=", StringComparison.OrdinalIgnoreCase)
                && int.TryParse(word.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
                && seconds <= Longest
            )
                return new(TimeSpan.FromSeconds(seconds), $"wait={seconds}");
        }
        return new(standard, null);
    }
}
