using Postern.Approvals;

namespace Postern.Hosting;

/// <summary>
/// Prints what a command says, to a terminal or to a script. A name, a message or a question may be the text of
/// somebody else, and a terminal obeys some characters: a carriage return writes over the line before, an escape moves
/// anywhere. So everything in braces is shown on one line, with such characters as their codes. A text with lines of
/// its own is a <see cref="TerminalBlock"/>, and each of its lines is marked. Nothing else in the program writes there.
/// </summary>
internal static class Terminal
{
    public static void WriteLine(TerminalText text) => Print(text + "\n");

    public static void Write(TerminalText text) => Print(text.ToString());

    /// <summary>Prints a document that this program made itself, as it is.</summary>
    public static void WriteDocument(string text) => Print(text);

    /// <summary>Prints a message of the program, whose lines are its own.</summary>
    public static void WriteError(string message)
    {
#pragma warning disable RS0030 // This is the one place that prints.
        Console.Error.WriteLine(Harmless(message));
#pragma warning restore RS0030
    }

    /// <summary>Returns a text of one line, without characters that a terminal obeys or that hide text.</summary>
    public static string Line(string text) => Harmless(text).Replace('\n', ' ').Replace('\t', ' ');

    /// <summary>Returns a text with its own lines and tabs, and nothing else that a terminal obeys.</summary>
    public static string Harmless(string text) =>
        Visible
            .Text(text.Replace("\r\n", "\n", StringComparison.Ordinal))
            .Replace("\r", "\\u{000d}", StringComparison.Ordinal);

    private static void Print(string text)
    {
#pragma warning disable RS0030 // This is the one place that prints.
        Console.Write(text);
#pragma warning restore RS0030
    }
}
