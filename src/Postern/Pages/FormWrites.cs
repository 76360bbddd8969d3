using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// Runs the effect of a form once. When the same form is sent again, it has no second effect and leads to the same
/// page. The mark and the effect are one transaction. For an effect with transactions of its own, the mark says that
/// the outcome is unknown until it has ended.
/// </summary>
internal sealed class FormWrites(Database database)
{
    /// <summary>Runs an effect inside one transaction.</summary>
    public async Task<IResult> WriteAsync(PageContext context, ConsoleForm form, Func<Tx, ValueTask<FormOutcome>> act)
    {
        context.Caller.EnsureStillAllowed();
        var outcome = await database.WriteAsync(async tx =>
        {
            if (await MarkAsync(tx, context, form) is { } before)
                return before;
            var done = await act(tx);
            // A refused form may be sent again.
            await SettleAsync(tx, context, form, done.LeadsTo);
            return done;
        });
        return Answer(outcome);
    }

    /// <summary>Runs an effect that makes its own transactions.</summary>
    public async Task<IResult> AroundAsync(PageContext context, ConsoleForm form, Func<Task<FormOutcome>> act)
    {
        context.Caller.EnsureStillAllowed();
        var before = await database.WriteAsync(tx => MarkAsync(tx, context, form));
        if (before is { } known)
            return Answer(known);
        var done = await act();
        await database.WriteAsync(async tx => await SettleAsync(tx, context, form, done.LeadsTo));
        return Answer(done);
    }

    private static IResult Answer(FormOutcome outcome) =>
        outcome.Refusal is { } refusal ? refusal : new Redirect(outcome.LeadsTo!);

    /// <summary>Returns null when the form is sent for the first time.</summary>
    private static async ValueTask<FormOutcome?> MarkAsync(Tx tx, PageContext context, ConsoleForm form)
    {
        var (project, session) = (context.Project, context.Authority.Session.Id);
        var marked = await tx.ExecuteAsync(
            """
            INSERT INTO console_once (project, session, once, outcome, at) VALUES ($1, $2, $3, '', $4)
            ON CONFLICT (project, session, once) DO NOTHING
            """,
            project,
            session,
            form.OnceText,
            tx.Now
        );
        if (marked == 1)
            return null;
        var outcome = await tx.FirstAsync(
            "SELECT outcome FROM console_once WHERE project = $1 AND session = $2 AND once = $3",
            r => r.GetString(0),
            project,
            session,
            form.OnceText
        );
        if (outcome is { Length: > 0 })
            return outcome;
        return new Refusal(
            409,
            "This form was sent before, and it is not known whether it was done. Look at what it was about.",
            "sent_before"
        );
    }

    private static ValueTask<int> SettleAsync(Tx tx, PageContext context, ConsoleForm form, string? leadsTo) =>
        leadsTo is null
            ? tx.ExecuteAsync(
                "DELETE FROM console_once WHERE project = $1 AND session = $2 AND once = $3",
                context.Project,
                context.Authority.Session.Id,
                form.OnceText
            )
            : tx.ExecuteAsync(
                "UPDATE console_once SET outcome = $4 WHERE project = $1 AND session = $2 AND once = $3",
                context.Project,
                context.Authority.Session.Id,
                form.OnceText,
                leadsTo
            );
}
