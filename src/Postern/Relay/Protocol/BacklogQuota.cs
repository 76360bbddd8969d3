namespace Postern.Relay.Protocol;

/// <summary>The limits of what a plane may have stored at a relay.</summary>
internal sealed record BacklogQuota(long Envelopes, long Bytes)
{
    /// <summary>
    /// How much of the quota is used, in percent: of the requests or of the bytes, whichever is higher.
    /// </summary>
    public long Percent(BacklogSize used) => Math.Max(Of(used.Envelopes, Envelopes), Of(used.Bytes, Bytes));

    private static long Of(long part, long all) => all == 0 ? 0 : part * 100 / all;
}
