using System.ComponentModel;

namespace Postern.Access;

/// <summary>
/// The kinds of credential that open a door. A door accepts exactly those it names; any other, however powerful, is
/// answered like none at all. The description of a kind says to people what they would send.
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

    /// <summary>
    /// A trusted orchestrator of one project: <c>X-Callback-Secret</c>, and nothing else is looked at.
    /// </summary>
    [Description("a callback secret (X-Callback-Secret)")]
    CallbackSecret = 64,

    /// <summary>A project's key also as <c>X-Internal-API-Key</c>, where callers have always sent it so.</summary>
    [Description("a key as X-Internal-API-Key")]
    InternalKey = 128,

    /// <summary>A signature over the raw body, by a secret of what the path names: the handler verifies it.</summary>
    [Description("a signature over the body")]
    Signature = 256,

    /// <summary>
    /// The token of one link, in the path, which is good for one question and for one answer: the handler verifies it.
    /// </summary>
    [Description("the link of one question")]
    Link = 512,

    /// <summary>
    /// A token that was handed to one attempt of one run: it opens that run's doors while the attempt has the run.
    /// </summary>
    [Description("the token of a run's present attempt")]
    RunToken = 1024,

    /// <summary>
    /// A session of the console, in its cookie: it acts with the rights of whom it was opened for, and opens no other
    /// door.
    /// </summary>
    [Description("a session of this console")]
    Console = 2048,

    /// <summary>
    /// A message that is signed after Standard Webhooks, with what the door names beside it (a callback secret, or a
    /// callback token) as the key.
    /// </summary>
    [Description("a message signed by a callback secret or a callback token (webhook-signature)")]
    CallbackSignature = 4096,

    /// <summary>
    /// The signature of a plane that has joined the relay (<c>Authorization: Postern-Plane …</c>): the handler verifies
    /// it.
    /// </summary>
    [Description("a plane's signature (Authorization: Postern-Plane)")]
    Plane = 8192,

    /// <summary>A code by which a plane joins the relay, once: the handler verifies its proof.</summary>
    [Description("a code by which a plane joins")]
    Code = 16384,

    /// <summary>The token in the path that shows what became of one request at the relay.</summary>
    [Description("the receipt of one stored request")]
    Receipt = 32768,
}
