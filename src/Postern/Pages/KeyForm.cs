using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>How the pages of keys and tokens read what a path or a person names.</summary>
internal static class KeyForm
{
    private const int KeySegment = 2;
    private const int MaxScopes = 100;

    /// <summary>The key of the path, also when it has ended; another project's looks like none.</summary>
    public static async ValueTask<KeyRow?> FindAsync(KeyStore store, PageContext context) =>
        RequestPath.Segment(context.Http, KeySegment) is { } id
        && await store.FindAsync(id) is { } row
        && row.Project == context.Project
            ? row
            : null;

    /// <summary>The same, unless it was revoked.</summary>
    public static async ValueTask<KeyRow?> FindLiveAsync(KeyStore store, PageContext context) =>
        await FindAsync(store, context) is { RevokedAt: null } row ? row : null;

    /// <summary>Scopes as a person writes them: between blanks, commas or line ends.</summary>
    public static Checked<string[]> ReadScopes(string text)
    {
        string[] scopes = text.Split([' ', ',', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (scopes.Length > MaxScopes)
            return Bad($"scopes has more than {MaxScopes}");
        return ScopeSet.FirstMalformed(scopes) is { } malformed
            ? Bad($"scopes holds {Wire.Cut(malformed, 100)}, which is not action:type[:id]")
            : scopes;
    }

    /// <summary>An instant, or a span from now; empty: never.</summary>
    public static Checked<KeyEnd> ReadEnd(PageContext context, string text)
    {
        text = text.Trim();
        if (text.Length == 0)
            return new KeyEnd(null);
        long? end =
            Wire.TryParseInstant(text, out var instant) ? instant
            : Wire.TryParseSpan(text, out var span) ? context.Now + Wire.Microseconds(span)
            : null;
        return end is null ? Bad("ends must be a span such as 30d, or an instant in ISO 8601")
            : end <= context.Now ? Bad("ends must be in the future")
            : new KeyEnd(end);
    }

    public static Refusal Bad(string message) => Refusal.BadRequest(message + ".", "invalid_form");
}
