namespace Postern.Access;

/// <summary>
/// The classes of doors that a relay may pass requests to. A door without a class is never reached through a relay,
/// whatever the request contains.
/// </summary>
internal static class RelayClass
{
    /// <summary>The public URLs of triggers.</summary>
    public const string Inbound = "inbound";

    /// <summary>Signed decisions of approval services.</summary>
    public const string Approvals = "approvals";

    /// <summary>Answers of people, sealed by the secret of their link.</summary>
    public const string Pages = "pages";

    /// <summary>Signed reports of workers and orchestrators.</summary>
    public const string Callbacks = "callbacks";

    public static IReadOnlyList<string> All { get; } = [Inbound, Approvals, Pages, Callbacks];
}
