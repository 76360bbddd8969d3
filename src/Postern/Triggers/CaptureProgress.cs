using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Updates the captures whose messages a session contains, as the session goes on. Other sessions have none.
/// </summary>
internal sealed class CaptureProgress
{
    public ValueTask FollowAsync(Tx tx, SessionRunStarted change)
    {
        if (change.Session is { IsOfTrigger: true } session)
            CaptureStore.Follow(tx, session.Project, session.Id, change.Run);
        return default;
    }

    public async ValueTask BeginAsync(Tx tx, TurnBegan change)
    {
        if (change.Session is { IsOfTrigger: true } session)
            await CaptureStore.BeginAsync(tx, session.Project, session.Id, change.InSeq);
    }

    public async ValueTask SettleAsync(Tx tx, TurnEnded change)
    {
        if (change.Session is { IsOfTrigger: true } session)
            await CaptureStore.SettleAsync(
                tx,
                session.Project,
                session.Id,
                change.InSeq,
                change.Failure is null ? Capture.Success : Capture.Failed,
                change.Failure,
                change.Error
            );
    }

    public async ValueTask FailAsync(Tx tx, SessionEnded change)
    {
        if (change.Session is { IsOfTrigger: true } session)
            await CaptureStore.SettleAsync(
                tx,
                session.Project,
                session.Id,
                long.MaxValue,
                Capture.Failed,
                Phase.Cancelled,
                "The session was closed."
            );
    }
}
