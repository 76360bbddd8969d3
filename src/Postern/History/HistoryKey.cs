using Postern.Sessions;

namespace Postern.History;

/// <summary>
/// The key of a history: <c>agent:&lt;agent&gt;:&lt;rest&gt;</c>, only the rest (of the default agent, or any external
/// id), or <c>session_…</c>.
/// </summary>
internal readonly record struct HistoryKey(string Text, string? Agent, string Rest)
{
    private const int MaxLength = 512;

    public static HistoryKey? TryParse(string? text)
    {
        if (
            text is null
            || text.Length is 0 or > MaxLength
            || text.Any(char.IsControl)
            || text.Trim().Length != text.Length
        )
            return null;
        if (!text.StartsWith("agent:", StringComparison.OrdinalIgnoreCase))
            return new HistoryKey(text, null, text);
        var mark = text.IndexOf(':', 6);
        if (mark <= 6 || mark == text.Length - 1)
            return null;
        return new HistoryKey(text, text[6..mark].ToLowerInvariant(), text[(mark + 1)..]);
    }

    /// <summary>Returns the session of the key, from memory when it is known: it never changes.</summary>
    public async ValueTask<SessionRef?> NameAsync(SessionStore sessions, string project)
    {
        if (Agent is null)
            return await sessions.NameAsync(project, Rest);
        return await sessions.NameByKeyAsync(project, Session.KeyOf(Agent, Rest));
    }
}
