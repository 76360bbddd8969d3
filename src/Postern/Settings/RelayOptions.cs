using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

internal sealed class RelayOptions
{
    [Description(
        "Classes of doors that the relay opens, of those that this server has joined: inbound (triggers), approvals "
            + "(signed decisions), pages (questions to people, sealed), callbacks (signed reports). Nothing else is "
            + "ever relayed."
    )]
    [RelayClasses]
    public string[] Doors { get; set; } = ["inbound", "approvals", "pages", "callbacks"];

    [Description(
        "Relay triggers whose secret is a header itself, too (gitlab, or a header and a secret): whoever runs the "
            + "relay sees the secret, and could use it again."
    )]
    public bool DangerousBearerDoors { get; set; }

    [Description(
        "Where people open questions: the page that postern relay page has written, on an origin of your own. Empty: "
            + "the relay's own page, and only while Postern:PublicUrl is empty."
    )]
    [RegularExpression(
        "^(https?://[^/?#]+(/[A-Za-z0-9._~%-]+)*/?)?$",
        ErrorMessage = "must be http(s)://host[:port][/path] without a query or fragment"
    )]
    public string PageUrl { get; set; } = "";

    /// <summary>Returns the page where people open questions of a server that has joined a relay.</summary>
    /// <param name="relay">The relay's address, ending with a slash.</param>
    public string PageUrlAt(string relay) => PageUrl.Length > 0 ? PageUrl : relay + "approve";

    [Description("Relayed requests that are run at once, of all relays.")]
    [Range(1, 1024)]
    public int Concurrency { get; set; } = 64;

    [Description(
        "How the relay is reached: auto is a WebSocket, and requests for ten minutes where something in between takes "
            + "none; websocket and poll are one of the two."
    )]
    [RegularExpression("^(auto|websocket|poll)$", ErrorMessage = "must be auto, websocket or poll")]
    public string Transport { get; set; } = "auto";

    [Description("Reach the relay by plain HTTP: whoever is in between reads its answers.")]
    public bool DangerousPlainHttp { get; set; }
}
