using System.Buffers.Text;
using System.Text;

namespace Postern.Http;

/// <summary>
/// An opaque cursor of a list: the place where the page ended, by (time, id). Clients send it back unchanged.
/// </summary>
internal readonly record struct Cursor(long At, string Id)
{
    /// <summary>Ids that callers choose have up to 255 characters, of up to four bytes.</summary>
    private const int MaxLength = 1500;

    public (long At, string Id) Place => (At, Id);

    /// <summary>Returns the cursor behind a place, or null when there is none.</summary>
    public static string? Text((long At, string Id)? place) =>
        place is { } at ? new Cursor(at.At, at.Id).ToString() : null;

    public override string ToString() => Base64Url.EncodeToString(Encoding.UTF8.GetBytes($"{At}~{Id}"));

    public static bool TryParse(string text, out Cursor cursor)
    {
        cursor = default;
        if (text.Length > MaxLength || !Base64Url.IsValid(text))
            return false;
        var plain = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text));
        var mark = plain.IndexOf('~', StringComparison.Ordinal);
        if (
            mark <= 0
            || plain.Contains('\0', StringComparison.Ordinal)
            || plain.Contains('\uFFFD', StringComparison.Ordinal)
            || !long.TryParse(plain.AsSpan(0, mark), out var at)
        )
            return false;
        cursor = new Cursor(at, plain[(mark + 1)..]);
        return true;
    }
}
