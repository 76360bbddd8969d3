namespace Postern.Relay.Protocol;

/// <summary>From both sides: the connection ends, and why.</summary>
/// <param name="AfterMs">When it will: the other side makes a new one first.</param>
internal sealed record ByeHead(string Reason, int? AfterMs = null) : FrameHead
{
    public const string Draining = "draining";
    public const string Stopping = "stopping";
    public const string Superseded = "superseded";
    public const string Revoked = "revoked";
}
