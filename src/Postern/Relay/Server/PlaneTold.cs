using Postern.Relay.Protocol;
using Postern.Settings;

namespace Postern.Relay.Server;

/// <summary>Stores what a plane sends to be kept: its list of doors, its questions to people.</summary>
internal sealed class PlaneTold(RelayPlaneStore planes, PageStore pages, PosternOptions options)
{
    private long Retention => options.RelayServer.RetentionHours * 3_600_000_000L;

    /// <summary>
    /// Stores what a frame contains. Returns null when it is malformed, or larger than the relay accepts.
    /// </summary>
    public async Task<KeptHead?> TakeAsync(string plane, Frame frame) =>
        frame.Head switch
        {
            DoorsHead { Version: > 0 } doors when DoorsHead.TryReadBody(frame.Body.Span) is not null => new KeptHead(
                KeptHead.DoorsList,
                await planes.SetDoorsAsync(plane, doors.Version, frame.Body.ToArray())
            ),
            PageHead { IsSound: true } page when frame.Body.Length is > 0 and <= RelayLimits.Page => new KeptHead(
                page.Page,
                await pages.PutAsync(plane, page, frame.Body.ToArray(), Retention)
            ),
            PageEndHead { IsSound: true } end when frame.Body.Length <= RelayLimits.PageOutcome => new KeptHead(
                end.Page,
                await pages.EndAsync(plane, end, frame.Body.ToArray(), Retention)
            ),
            _ => null,
        };

    /// <summary>The text in the audit for a frame that was not stored.</summary>
    public static string Malformed(FrameHead head) => head is DoorsHead ? "doors_malformed" : "page_malformed";
}
