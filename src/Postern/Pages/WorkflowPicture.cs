using System.Globalization;
using Postern.Runs;

namespace Postern.Pages;

/// <summary>
/// Draws a workflow's states: one column for each step from the initial state, the final states in the last column, the
/// moves as lines between them. Moves that go back are drawn below.
/// </summary>
internal sealed class WorkflowPicture
{
    /// <summary>A picture of more states could not be read; the table has the same content.</summary>
    public const int MostStates = 40;
    public const int Width = 132;
    public const int Height = 34;
    private const int Column = 200;
    private const int Row = 58;
    private const int Margin = 12;
    private readonly Dictionary<string, (int Column, int Row)> _places = new(StringComparer.Ordinal);

    public WorkflowPicture(Workflow workflow)
    {
        var columns = ColumnsOf(workflow);
        foreach (var (column, states) in columns.Index())
        foreach (var (row, state) in states.Index())
            _places[state] = (column, row);
        var rows = columns.Max(c => c.Count);
        Wide = (columns.Count * Column) - (Column - Width) + (2 * Margin);
        States =
        [
            .. workflow.States.Select(s => new PicturedState(
                s.Key,
                s.Value.Phase,
                s.Key == workflow.Initial,
                s.Value.Self,
                X(s.Key),
                Y(s.Key)
            )),
        ];
        var back = 0;
        var moves = new List<string>();
        foreach (var (from, state) in workflow.States)
        foreach (var to in state.To.Where(_places.ContainsKey))
            moves.Add(Path(from, to, (rows * Row) + Margin, ref back));
        Moves = moves;
        High = (rows * Row) + Margin + (back > 0 ? 14 + (Math.Min(back, 12) * 6) : 0);
    }

    /// <summary>The size of the whole picture.</summary>
    public int Wide { get; }

    public int High { get; }

    public IReadOnlyList<PicturedState> States { get; }

    /// <summary>The lines, as paths of SVG.</summary>
    public IReadOnlyList<string> Moves { get; }

    /// <summary>Groups the states by their distance from the initial one. Unreachable states come last.</summary>
    private static List<List<string>> ColumnsOf(Workflow workflow)
    {
        var columns = new List<List<string>>();
        var seen = new HashSet<string>(StringComparer.Ordinal) { workflow.Initial };
        for (List<string> next = [workflow.Initial]; next.Count > 0; )
        {
            columns.Add(next);
            next =
            [
                .. next.SelectMany(s => workflow.States[s].To)
                    .Where(s => workflow.States.ContainsKey(s) && seen.Add(s)),
            ];
        }
        List<string> others = [.. workflow.States.Keys.Where(seen.Add)];
        if (others.Count > 0)
            columns.Add(others);
        // The final states stand together, behind all others.
        List<string> ends =
        [
            .. workflow
                .States.Where(s => Phase.IsTerminal(s.Value.Phase) && s.Key != workflow.Initial)
                .Select(s => s.Key),
        ];
        columns.ForEach(column => column.RemoveAll(ends.Contains));
        columns.RemoveAll(column => column.Count == 0);
        if (ends.Count > 0)
            columns.Add(ends);
        return columns;
    }

    private int X(string state) => Margin + (_places[state].Column * Column);

    private int Y(string state) => Margin + (_places[state].Row * Row);

    private string Path(string from, string to, int below, ref int back)
    {
        var (fromY, toY) = (Y(from) + (Height / 2), Y(to) + (Height / 2));
        if (_places[to].Column > _places[from].Column)
        {
            var (left, right) = (X(from) + Width, X(to));
            var middle = (left + right) / 2;
            return Text($"M{left} {fromY} C{middle} {fromY} {middle} {toY} {right} {toY}");
        }
        if (_places[to].Column == _places[from].Column)
        {
            var side = X(from) + Width;
            return Text($"M{side} {fromY} C{side + 34} {fromY} {side + 34} {toY} {side} {toY}");
        }
        var depth = below + 8 + (Math.Min(back++, 12) * 6);
        var (leaves, into) = (X(from) + (Width / 2), X(to) + (Width / 2));
        return Text($"M{leaves} {Y(from) + Height} C{leaves} {depth} {into} {depth} {into} {Y(to) + Height}");
    }

    private static string Text(FormattableString path) => path.ToString(CultureInfo.InvariantCulture);
}
