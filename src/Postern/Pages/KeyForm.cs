using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>Reads the values that a path or a person gives on the pages of keys and tokens.</summary>
internal static class KeyForm
{
    private const int KeySegment = 2;
    private const int MaxScopes = 100;

    /// <summary>
    /// Returns the key of the path, even when it has ended. A key of another project looks as if it did not exist.
    /// </summary>
    public static async ValueTask<KeyRow?> FindAsync(KeyStore store, PageContext context) =>
        RequestPath.Segment(context.Http, KeySegment) is { } id
        && await store.FindAsync(id) is { } row
        && row.Project == context.Project
            ? row
            : null;

    /// <summary>The same; a refusal when there is none, or when it was revoked.</summary>
    public static async ValueTask<Checked<KeyRow>> FindLiveAsync(KeyStore store, PageContext context) =>
        await FindAsync(store, context) switch
        {
            null => PageRefusals.NotFound,
            { RevokedAt: null } row => row,
            _ => new Refusal(409, "The key was revoked before. Nothing was changed.", "key_revoked"),
        };

    /// <summary>Reads scopes as a person writes them: separated by blanks, commas or line ends.</summary>
    public static Checked<string[]> ReadScopes(string text)
    {
        string[] scopes = text.Split([' ', ',', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (scopes.Length > MaxScopes)
            return Bad($"scopes has more than {MaxScopes}");
        return ScopeSet.FirstMalformed(scopes) is { } malformed
            ? Bad($"scopes holds {Wire.Cut(malformed, 100)}, which is not action:type[:id]")
            : scopes;
    }

    /// <summary>Reads an instant, or a span from now; empty: never.</summary>
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
