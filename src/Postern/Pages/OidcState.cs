using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Postern.Access;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// The state that goes to the provider and comes back with its answer. It is sealed under the master key, so that every
/// node can read it, and valid for a quarter of an hour.
/// </summary>
internal sealed class OidcState(MasterKey master, Database database)
    : ISecureDataFormat<AuthenticationProperties>,
        ISecureDataFormat<string>
{
    public const long Microseconds = 15 * 60_000_000L;
    private const string Until = "until";
    private const string OfState = "state of a sign-in";
    private const string OfNonce = "nonce of a sign-in";
    private const int MaxLength = 8000;

    public string Protect(AuthenticationProperties data) => Protect(data, null);

    public string Protect(AuthenticationProperties data, string? purpose)
    {
        var items = new Dictionary<string, string?>(data.Items, StringComparer.Ordinal)
        {
            [Until] = (database.Now + Microseconds).ToString(CultureInfo.InvariantCulture),
        };
        return Seal(JsonSerializer.Serialize(items), OfState);
    }

    public AuthenticationProperties? Unprotect(string? protectedText) => Unprotect(protectedText, null);

    public AuthenticationProperties? Unprotect(string? protectedText, string? purpose)
    {
        if (Open(protectedText, OfState) is not { } text)
            return null;
        var items = JsonSerializer.Deserialize<Dictionary<string, string?>>(text)!;
        return
            items.Remove(Until, out var until)
            && long.TryParse(until, CultureInfo.InvariantCulture, out var at)
            && database.Now < at
            ? new AuthenticationProperties(items)
            : null;
    }

    public string Protect(string data) => Protect(data, null);

    public string Protect(string data, string? purpose) => Seal(data, OfNonce);

    string? ISecureDataFormat<string>.Unprotect(string? protectedText) => Open(protectedText, OfNonce);

    string? ISecureDataFormat<string>.Unprotect(string? protectedText, string? purpose) => Open(protectedText, OfNonce);

    private string Seal(string text, string belongsTo) => Base64Url.EncodeToString(master.Protect(text, belongsTo));

    private string? Open(string? text, string belongsTo)
    {
        // The least length of a seal: a nonce and a tag.
        if (text is not { Length: > 38 and <= MaxLength } || !Base64Url.IsValid(text))
            return null;
        try
        {
            return master.Unprotect(Base64Url.DecodeFromChars(text), belongsTo);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
