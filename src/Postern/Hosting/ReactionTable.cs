using System.Text;
using Postern.Approvals;
using Postern.Dispatch;
using Postern.Relay.Plane;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Hosting;

/// <summary>
/// All reactions to a change of a run, a turn or a session, in their order, in one place. It is printed as
/// <c>reactions.txt</c>, a golden file like <c>doors.txt</c>. A reaction runs in the transaction of the change, holds
/// the session's row and the run's, and may lock only what comes after them (<see cref="LockOrder"/>). Subscribers,
/// agents and callers get their messages in the order of this table.
/// </summary>
internal sealed class ReactionTable(IServiceProvider services)
{
    private readonly StringBuilder _printed = new();

    /// <summary>Declares all reactions; called once, before the server listens.</summary>
    public void Declare()
    {
        On(Then<RunCreated, RunSubscribers>("subscribers hear of a new run", s => s.CreatedAsync));
        On(
            Then<RunMoved, ApprovalEvents>("an ended run closes its open question", a => a.RunMovedAsync),
            Then<RunMoved, RunSubscribers>("subscribers hear of what a run means now", s => s.MovedAsync),
            Then<RunMoved, RunCallbacks>("a caller that asked is called back at the end", c => c.MovedAsync),
            Then<RunMoved, AgentNotices>("an agent that is called is notified", n => n.MovedAsync),
            Then<RunMoved, Conversation>("a session follows its run's attempt and end", c => c.RunMovedAsync)
        );
        On(Then<RunForgotten, ApprovalStore>("its approvals go with it", a => a.RunForgottenAsync));
        On(Then<SessionCreated, SessionEvents>("subscribers hear of a new session", e => e.CreatedAsync));
        On(Then<SessionRunStarted, CaptureProgress>("captures that wait are the new run's", c => c.FollowAsync));
        On(Then<TurnBegan, CaptureProgress>("captures of the turn are in progress", c => c.BeginAsync));
        On(Then<TurnEnded, CaptureProgress>("captures of the turn are settled", c => c.SettleAsync));
        On(
            Then<SessionEnded, CaptureProgress>("open captures fail", c => c.FailAsync),
            Then<SessionEnded, SessionEvents>("subscribers hear of the end", e => e.EndedAsync)
        );
        On(Then<QuestionAsked, PageStore>("a relay gets its page, sealed", p => p.AskedAsync));
        On(Then<QuestionEnded, PageStore>("the relay's page ends", p => p.EndedAsync));
        On(Then<SessionForgotten, ApprovalStore>("the approvals of its runs go with it", a => a.SessionForgottenAsync));
    }

    /// <summary>Returns one line for each reaction, in order: the change, the class that reacts, the effect.</summary>
    public string Print() => _printed.ToString();

    private void On<TChange>(params Reaction<TChange>[] reactions)
    {
        services.GetRequiredService<Reactions<TChange>>().Declare([.. reactions.Select(r => r.Call)]);
        foreach (var reaction in reactions)
            _printed
                .Append(System.Globalization.CultureInfo.InvariantCulture, $"{typeof(TChange).Name, -18} ")
                .Append(System.Globalization.CultureInfo.InvariantCulture, $"{reaction.Who, -16} {reaction.What}\n");
    }

    private Reaction<TChange> Then<TChange, TWho>(string what, Func<TWho, Func<Tx, TChange, ValueTask>> how)
        where TWho : notnull => new(typeof(TWho).Name, what, how(services.GetRequiredService<TWho>()));

    /// <param name="Who">The class that reacts.</param>
    /// <param name="What">What follows, for a person.</param>
    /// <param name="Call">The method.</param>
    private sealed record Reaction<TChange>(string Who, string What, Func<Tx, TChange, ValueTask> Call);
}
