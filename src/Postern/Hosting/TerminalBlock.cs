namespace Postern.Hosting;

/// <summary>
/// A text of somebody else with lines of its own. Each is marked, so that none passes for the program's.
/// </summary>
internal sealed record TerminalBlock(string Text)
{
    public override string ToString() =>
        "  | " + Terminal.Harmless(Text).Replace("\n", "\n  | ", StringComparison.Ordinal);
}
