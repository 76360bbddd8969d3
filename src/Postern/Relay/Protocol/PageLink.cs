using System.Buffers.Text;

namespace Postern.Relay.Protocol;

/// <summary>
/// The link <c>https://relay.example/approve#pln_….page.secret</c>: it opens one question to everybody who has it. A
/// browser does not send the part after the <c>#</c>, so the relay never sees the secret.
/// </summary>
/// <param name="Url">Of the page that opens the question.</param>
/// <param name="Plane">The server that asks.</param>
/// <param name="Page">22 characters, base64url: names the question at the relay.</param>
/// <param name="Secret">43 characters, base64url: opens it, and seals the answer.</param>
internal sealed record PageLink(string Url, string Plane, string Page, string Secret)
{
    public const int PageLength = 22;
    public const int SecretLength = 43;
    private const int LongestPlane = 64;

    /// <summary>Returns null when the text is no link to a question.</summary>
    public static PageLink? TryParse(string text)
    {
        var parts = text.Trim().Split('#');
        if (
            parts.Length != 2
            || !Uri.TryCreate(parts[0], UriKind.Absolute, out var url)
            || url.Scheme is not ("https" or "http")
        )
            return null;
        return
            parts[1].Split('.')
                is [{ Length: > 0 and <= LongestPlane } plane, var page, { Length: SecretLength } secret]
            && plane.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
            && IsPage(page)
            && Base64Url.IsValid(secret)
            ? new PageLink(parts[0], plane, page, secret)
            : null;
    }

    public static bool IsPage(string text) => text.Length == PageLength && Base64Url.IsValid(text);

    public override string ToString() => $"{Url}#{Plane}.{Page}.{Secret}";
}
