using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Postern.Access;
using Postern.Settings;

namespace Postern.Approvals;

/// <summary>
/// Makes the links by which people answer: to this server's own page or, behind a relay, to the page that opens the
/// sealed question in the browser. A link is derived from the question's id and the master key, so it is not stored and
/// always the same.
/// </summary>
internal sealed class ApprovalLinks(MasterKey master, ServerAddress address, PosternOptions options)
{
    private const int PageBytes = 16;
    private volatile RelayedPlace? _place;

    /// <summary>Whether people are asked at a relay.</summary>
    public bool AreRelayed => _place is not null;

    /// <summary>The address of the page; null when the relay's own page is used without being configured.</summary>
    public string? PageUrl => _place?.Url;

    /// <summary>
    /// A relay was joined or left. Its page is used when this server has no public address, or when the settings name a
    /// page.
    /// </summary>
    /// <param name="relay">The relay's address, ending with a slash; null: none is joined.</param>
    /// <param name="plane">This server's id there.</param>
    public void AreAt(string? relay, string? plane)
    {
        var isWanted = options.PublicUrl.Length == 0 || options.Relay.PageUrl.Length > 0;
        _place =
            relay is not null
            && plane is not null
            && isWanted
            && options.Relay.Doors.Contains(RelayClass.Pages, StringComparer.Ordinal)
                ? new RelayedPlace(options.Relay.PageUrlAt(relay), plane)
                : null;
    }

    /// <summary>Returns the link to a question.</summary>
    public string Of(Approval approval) =>
        _place is { } place
            ? $"{place.Url}#{place.Plane}.{PageOf(approval.Project, approval.Id)}."
                + SecretOf(approval.Project, approval.Id)
            : $"{address.Url}/approvals/{TokenOf(approval.Project, approval.Id)}";

    public byte[] DigestOf(string project, string id) => DigestOf(TokenOf(project, id));

    public static byte[] DigestOf(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));

    /// <summary>Returns the name of a question at relays; it opens nothing.</summary>
    public string PageOf(string project, string id) =>
        Base64Url.EncodeToString(master.DigestOf(NameOf(project, id), "approval page").AsSpan(0, PageBytes));

    /// <summary>Returns the secret that opens a question at a relay and seals its answer.</summary>
    public string SecretOf(string project, string id) =>
        Base64Url.EncodeToString(master.DigestOf(NameOf(project, id), "approval page secret"));

    private string TokenOf(string project, string id) =>
        Base64Url.EncodeToString(master.DigestOf(NameOf(project, id), "approval link"));

    private static string NameOf(string project, string id) => $"{project}\0{id}";

    private sealed record RelayedPlace(string Url, string Plane);
}
