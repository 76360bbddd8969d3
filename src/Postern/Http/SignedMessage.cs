namespace Postern.Http;

/// <summary>
/// The signed message of a callback (a feature of the request). Its event is the sender's own name for it; a repeat has
/// the same.
/// </summary>
internal sealed record SignedMessage(string Event);
