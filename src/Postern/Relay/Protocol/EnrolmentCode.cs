using System.Security.Cryptography;

namespace Postern.Relay.Protocol;

/// <summary>
/// <c>https://relay.example/#prc_&lt;id&gt;_&lt;secret&gt;_&lt;fingerprint&gt;</c>: lets one plane join a relay, once.
/// What stands behind the <c>#</c> is not sent by a browser; the secret never travels. The fingerprint names the
/// relay's key, which the plane pins.
/// </summary>
/// <param name="Url">The relay's address, ending with a slash.</param>
/// <param name="Id">26 letters, as of any id.</param>
/// <param name="Secret">64 hex: 256 bits.</param>
/// <param name="Fingerprint">32 hex.</param>
internal sealed record EnrolmentCode(string Url, string Id, string Secret, string Fingerprint)
{
    private const string Prefix = "prc";

    /// <summary>The part that is sent. It names the code and proves nothing.</summary>
    public string Name => $"{Prefix}_{Id}";

    public static string NewSecret() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <summary>Returns null when the text is no code.</summary>
    public static EnrolmentCode? TryParse(string text)
    {
        var parts = text.Trim().Split('#');
        if (
            parts.Length != 2
            || !Uri.TryCreate(parts[0], UriKind.Absolute, out var url)
            || url.Scheme is not ("https" or "http")
            || url.Query.Length + url.UserInfo.Length > 0
        )
            return null;
        return
            parts[1].Split('_') is [Prefix, { Length: 26 } id, { Length: 64 } secret, { Length: 32 } fingerprint]
            && id.All(char.IsAsciiLetterOrDigit)
            && secret.All(char.IsAsciiHexDigitLower)
            && fingerprint.All(char.IsAsciiHexDigitLower)
            ? new EnrolmentCode(url.AbsoluteUri.TrimEnd('/') + "/", id, secret, fingerprint)
            : null;
    }

    public override string ToString() => $"{Url}#{Name}_{Secret}_{Fingerprint}";
}
