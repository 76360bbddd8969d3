namespace Postern.Access;

/// <summary>
/// The forms in which an approval service may sign; names of providers that sign in the same way are accepted too.
/// </summary>
internal static class SignatureForm
{
    public const string Standard = "standard";

    /// <summary><c>t=…,v1=…</c></summary>
    public const string Timed = "timed";

    /// <summary><c>sha256=…</c></summary>
    public const string Sha256 = "sha256";

    /// <summary>Plain hex.</summary>
    public const string Raw = "raw";

    public static readonly string[] All = [Standard, Timed, Sha256, Raw];

    public static string? Of(string name) =>
        name switch
        {
            "stripe" => Timed,
            "github" => Sha256,
            _ => All.Contains(name, StringComparer.Ordinal) ? name : null,
        };
}
