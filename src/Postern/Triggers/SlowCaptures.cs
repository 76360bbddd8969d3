using Postern.Sessions;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Finds unfinished captures that take more than twice as long as usual for their trigger. Usual is the median of the
/// newest <see cref="Newest"/> that succeeded.
/// </summary>
internal static class SlowCaptures
{
    private const int Newest = 20;

    /// <summary>Fewer successful captures than this say nothing about the usual time.</summary>
    private const int Fewest = 5;

    /// <param name="tx">Where they are read.</param>
    /// <param name="project">Whose.</param>
    /// <param name="least">No shorter is slow.</param>
    /// <param name="usual">How long one may last whose trigger says nothing.</param>
    /// <param name="most">The most of the oldest that are read.</param>
    public static async ValueTask<List<SlowCapture>> FindAsync(Tx tx, string project, long least, long usual, int most)
    {
        var open = await CaptureStore.OpenAsync(tx, project, tx.Now - least, most);
        if (open.Count == 0)
            return [];
        var limits = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var uid in open.Select(c => c.TriggerUid).Distinct())
        {
            var took = await CaptureStore.TookAsync(tx, project, uid, Newest);
            took.Sort();
            limits[uid] = took.Count < Fewest ? usual : Math.Max(least, 2 * took[took.Count / 2]);
        }
        var slow = open.Where(c => tx.Now - c.At > limits[c.TriggerUid]).ToList();
        var turns = await SessionQueries.TurnsAsync(
            tx,
            project,
            [.. slow.Select(c => c.Session).OfType<string>().Distinct()]
        );
        return
        [
            .. slow.Select(c => new SlowCapture(
                c.Id,
                c.At,
                c.Session,
                c.Run,
                c.Session is { } session
                    && turns.GetValueOrDefault(session) is { TurnDeadline: not null } turn
                    && c.InSeq > turn.TurnInSeq
            )),
        ];
    }
}
