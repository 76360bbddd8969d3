namespace Postern.Access;

/// <summary>The part of a message by which a repeat is recognised.</summary>
internal enum RepeatBy
{
    /// <summary>The message's id, which is signed.</summary>
    SignedId,

    /// <summary>
    /// The event's id in the signed body, which stays when a retry is signed anew; else the message with its instant.
    /// </summary>
    EventId,

    /// <summary>Everything that is signed: the message with its instant, or the body.</summary>
    Message,

    /// <summary>What the provider calls the delivery: nothing is signed.</summary>
    Delivery,
}
