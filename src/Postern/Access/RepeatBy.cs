namespace Postern.Access;

/// <summary>The part of a message by which a repeat is recognised.</summary>
internal enum RepeatBy
{
    /// <summary>The message's id, which is signed.</summary>
    SignedId,

    /// <summary>
    /// The id of the event in the signed body, which stays the same when a retry is signed again; else the message with
    /// its instant.
    /// </summary>
    EventId,

    /// <summary>Everything that is signed: the message with its instant, or the body.</summary>
    Message,

    /// <summary>The provider's name of the delivery; nothing is signed.</summary>
    Delivery,
}
