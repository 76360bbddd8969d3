namespace Postern.Relay.Protocol;

/// <summary>A door of a plane that a relay opens.</summary>
/// <param name="Path">As a caller spells it, from the first slash; a segment <c>*</c> stands for any one.</param>
/// <param name="Class">One of <see cref="Classes"/>.</param>
/// <param name="Methods">GET, HEAD and OPTIONS are refused unless they stand here.</param>
/// <param name="MaxBody">Bytes.</param>
/// <param name="WaitMs">How long the relay waits for the plane's answer.</param>
/// <param name="Signed">Whether a 2xx of this door says that a signature was right.</param>
/// <param name="Verify">
/// Public keys of Standard Webhooks (<c>whpk_…</c>), where all that open this door are public: a relay may refuse what
/// none of them fits, because it could not make it itself.</param>
internal sealed record DoorEntry(
    string Path,
    string Class,
    IReadOnlyList<string> Methods,
    int MaxBody,
    int WaitMs,
    bool Signed,
    IReadOnlyList<string>? Verify = null
)
{
    public const string Inbound = "inbound";
    public const string Approvals = "approvals";
    public const string Pages = "pages";
    public const string Callbacks = "callbacks";

    public static readonly string[] Classes = [Inbound, Approvals, Pages, Callbacks];

    private const int LongestPath = 512;
    private const int LargestBody = 1024 * 1024;
    private const int LongestWaitMs = 55_000;

    /// <summary>
    /// Returns whether its values are within the relay's limits. One plane's list must not cost the others.
    /// </summary>
    public bool IsSound =>
        Path is { Length: > 1 and <= LongestPath }
        && Path[0] == '/'
        && Path.All(c => c is > ' ' and <= '~' and not ('?' or '#'))
        && Classes.Contains(Class)
        && Methods is { Count: > 0 and <= 8 }
        && Methods.All(m => m is { Length: > 0 and <= 16 } && m.All(char.IsAsciiLetterUpper))
        && MaxBody is >= 0 and <= LargestBody
        && WaitMs is >= 0 and <= LongestWaitMs
        && (Verify is null || (Verify.Count is > 0 and <= 8 && Verify.All(v => v is { Length: > 0 and <= 128 })));
}
