using System.ComponentModel;

namespace Postern.Access;

/// <summary>
/// The kinds of credential that open a door. A door accepts exactly the kinds that it names. Any other credential,
/// however powerful, gets the same answer as none. The description of a kind tells people what to send.
/// </summary>
[Flags]
internal enum Credentials
{
    /// <summary>No credential: health, the document, the reference page.</summary>
    [Description("nothing, where no authentication is set")]
    Anyone = 1,

    /// <summary>A project's key: <c>Authorization: Bearer</c> or <c>X-API-Key</c>.</summary>
    [Description("a key of a project (Authorization: Bearer, or X-API-Key)")]
    Key = 2,

    /// <summary>A signed token (JWT): <c>Authorization: Bearer</c>.</summary>
    [Description("a token (Authorization: Bearer)")]
    Token = 4,

    /// <summary>A key as <c>Authorization: Bearer</c>, or an identity from a trusted proxy.</summary>
    [Description("a key (Authorization: Bearer), or an identity from a trusted proxy")]
    Operator = 8,

    /// <summary>A person's key (<c>pst_pat_…</c>) and no other key.</summary>
    [Description("a person's key (pst_pat_…)")]
    PersonalKey = 16,

    /// <summary>The token that was made for one attempt of one run: <c>X-Callback-Token</c>.</summary>
    [Description("the callback token of one run (X-Callback-Token)")]
    CallbackToken = 32,

    /// <summary>A trusted orchestrator of one project: <c>X-Callback-Secret</c>. No other header is read.</summary>
    [Description("a callback secret (X-Callback-Secret)")]
    CallbackSecret = 64,

    /// <summary>A project's key also as <c>X-Internal-API-Key</c>, where callers have always sent it so.</summary>
    [Description("a key as X-Internal-API-Key")]
    InternalKey = 128,

    /// <summary>A signature over the raw body, by a secret that the path names. The handler verifies it.</summary>
    [Description("a signature over the body")]
    Signature = 256,

    /// <summary>
    /// The token of one link, in the path. It is valid for one question and one answer. The handler verifies it.
    /// </summary>
    [Description("the link of one question")]
    Link = 512,

    /// <summary>A token for one attempt of one run. It opens that run's doors while the attempt has the run.</summary>
    [Description("the token of a run's present attempt")]
    RunToken = 1024,

    /// <summary>
    /// A session of the console, in its cookie. It has the rights of the person for whom it was opened, and opens no
    /// other door.
    /// </summary>
    [Description("a session of this console")]
    Console = 2048,

    /// <summary>
    /// A message signed after Standard Webhooks. The key is what the door names beside it: a callback secret or a
    /// callback token.
    /// </summary>
    [Description("a message signed by a callback secret or a callback token (webhook-signature)")]
    CallbackSignature = 4096,

    /// <summary>
    /// The signature of a plane that has joined the relay (<c>Authorization: Postern-Plane …</c>). The handler verifies
    /// it.
    /// </summary>
    [Description("a plane's signature (Authorization: Postern-Plane)")]
    Plane = 8192,

    /// <summary>A code with which a plane joins the relay, once. The handler verifies its proof.</summary>
    [Description("a code by which a plane joins")]
    Code = 16384,

    /// <summary>The token in the path that shows the outcome of one request at the relay.</summary>
    [Description("the receipt of one stored request")]
    Receipt = 32768,
}
