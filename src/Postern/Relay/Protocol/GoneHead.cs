namespace Postern.Relay.Protocol;

/// <summary>From the relay: an envelope was deleted without an answer.</summary>
internal sealed record GoneHead(string Id, long Seq, string Reason) : FrameHead
{
    public const string Expired = "expired";
    public const string Deleted = "deleted";
}
