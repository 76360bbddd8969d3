using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Relay.Protocol;

/// <summary>
/// The page on which a person opens a sealed question. It is three files of this binary, the same at a relay and on an
/// origin of one's own. The page allows one script, by its digest, and connects to one relay only.
/// </summary>
internal static class ApprovePage
{
    public const string ScriptName = "approve.js";
    public const string StyleName = "approve.css";
    public const string HtmlName = "approve.html";

    public static byte[] Script { get; } = Read(ScriptName);

    public static byte[] Style { get; } = Read(StyleName);

    /// <summary>The digest as it stands in <c>integrity</c> and in the policy.</summary>
    public static string IntegrityOf(byte[] file) => "sha384-" + Convert.ToBase64String(SHA384.HashData(file));

    /// <param name="relay">The relay that it connects to; empty: its own origin.</param>
    public static byte[] Html(string relay) =>
        Encoding.UTF8.GetBytes(
            Encoding
                .UTF8.GetString(Read(HtmlName))
                .Replace("{policy}", Policy(relay), StringComparison.Ordinal)
                .Replace("{relay}", relay, StringComparison.Ordinal)
                .Replace("{script}", IntegrityOf(Script), StringComparison.Ordinal)
                .Replace("{style}", IntegrityOf(Style), StringComparison.Ordinal)
        );

    /// <summary>
    /// The page's content security policy. Frames are forbidden by a header, which a file cannot have.
    /// </summary>
    public static string Policy(string relay) =>
        $"default-src 'none'; script-src '{IntegrityOf(Script)}'; style-src 'self'; connect-src "
        + $"{(relay.Length == 0 ? "'self'" : new Uri(relay).GetLeftPart(UriPartial.Authority))}; base-uri 'none'; "
        + "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    private static byte[] Read(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("approve/" + name)!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
