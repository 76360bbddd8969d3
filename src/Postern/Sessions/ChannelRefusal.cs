using Postern.Http;

namespace Postern.Sessions;

/// <summary>The refusals of a channel: <c>{ok:false, error, code?}</c> for appends.</summary>
internal static class ChannelRefusal
{
    private static readonly (string, object?) NotOk = ("ok", false);

    public static Refusal OutNeedsKey { get; } =
        new(403, "Appending to the out channel requires secret key authentication")
        {
            Extra = [NotOk],
            ShouldRetry = false,
        };

    public static Refusal NotTheRun { get; } =
        new(403, "The run of this token no longer has the session", "not_the_run")
        {
            Extra = [NotOk],
            ShouldRetry = false,
        };

    private static Refusal Full { get; } =
        new(409, "The session holds as many bytes as it may", "quota_reached")
        {
            Extra = [NotOk, ("quota", "SessionBytes")],
            ShouldRetry = false,
        };

    public static Refusal Of(AppendOutcome outcome) =>
        outcome switch
        {
            AppendOutcome.PartMismatch mismatch => new Refusal(
                409,
                $"The part {mismatch.PartId} was appended before with another body",
                "part_id_mismatch"
            )
            {
                Extra = [NotOk],
                ShouldRetry = false,
            },
            AppendOutcome.Closed closed => new Refusal(409, "The session is closed", "session_closed")
            {
                Extra = [NotOk, ("closedReason", closed.Reason)],
                ShouldRetry = false,
            },
            AppendOutcome.Expired => new Refusal(409, "The session has expired", "session_expired")
            {
                Extra = [NotOk],
                ShouldRetry = false,
            },
            AppendOutcome.NotTheRun => NotTheRun,
            AppendOutcome.AwaitsApproval => new Refusal(
                409,
                "The run waits for an approval: its turn ends after the answer",
                "awaiting_approval"
            )
            {
                Extra = [NotOk],
                ShouldRetry = false,
            },
            AppendOutcome.QuotaReached => Full,
            _ => SessionFamily.NotFound,
        };
}
