namespace Postern.Access;

/// <summary>
/// The kinds of credential that open a door. A door accepts exactly those it names; any other, however powerful, is
/// answered like none at all.
/// </summary>
[Flags]
internal enum Credentials
{
    /// <summary>No credential: health, the document, the reference page.</summary>
    Anyone = 1,

    /// <summary>A project's key: <c>Authorization: Bearer</c> or <c>X-API-Key</c>.</summary>
    Key = 2,

    /// <summary>A signed token (JWT): <c>Authorization: Bearer</c>.</summary>
    Token = 4,

    /// <summary>A key as <c>Authorization: Bearer</c>, or an identity from a trusted proxy.</summary>
    Operator = 8,

    /// <summary>A person's key (<c>pst_pat_…</c>) and no other key.</summary>
    PersonalKey = 16,

    /// <summary>The token that was made for one attempt of one run: <c>X-Callback-Token</c>.</summary>
    CallbackToken = 32,

    /// <summary>
    /// A trusted orchestrator of one project: <c>X-Callback-Secret</c>, and nothing else is looked at.
    /// </summary>
    CallbackSecret = 64,

    /// <summary>A project's key also as <c>X-Internal-API-Key</c>, where callers have always sent it so.</summary>
    InternalKey = 128,

    /// <summary>A signature over the raw body, by a secret of what the path names: the handler verifies it.</summary>
    Signature = 256,

    /// <summary>
    /// The token of one link, in the path, which is good for one question and for one answer: the handler verifies it.
    /// </summary>
    Link = 512,

    /// <summary>
    /// A token that was handed to one attempt of one run: it opens that run's doors while the attempt has the run.
    /// </summary>
    RunToken = 1024,

    /// <summary>
    /// A session of the console, in its cookie: it acts with the rights of whom it was opened for, and opens no other
    /// door.
    /// </summary>
    Console = 2048,

    /// <summary>
    /// A message that is signed after Standard Webhooks, with what the door names beside it (a callback secret, or a
    /// callback token) as the key.
    /// </summary>
    CallbackSignature = 4096,

    /// <summary>
    /// The signature of a plane that has joined the relay (<c>Authorization: Postern-Plane …</c>): the handler verifies
    /// it.
    /// </summary>
    Plane = 8192,

    /// <summary>A code by which a plane joins the relay, once: the handler verifies its proof.</summary>
    Code = 16384,

    /// <summary>The token in the path that shows what became of one request at the relay.</summary>
    Receipt = 32768,
}
