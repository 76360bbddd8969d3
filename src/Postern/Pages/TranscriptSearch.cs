using Postern.Sessions;

namespace Postern.Pages;

/// <summary>
/// Searches the messages of a transcript for a text, newest first. One page reads a limited number of messages and
/// bytes, and then says where the search continues.
/// </summary>
/// <param name="Text">What was sought.</param>
/// <param name="Messages">Those that hold it.</param>
/// <param name="Looked">Messages that were looked at.</param>
/// <param name="Next">The number before which it goes on; null: everything was looked at.</param>
internal sealed record TranscriptSearch(string Text, IReadOnlyList<Message> Messages, int Looked, long? Next)
{
    private const int MostMessages = 10_000;
    private const long MostBytes = 64 * 1024 * 1024;
    private const int MostFound = 50;
    private const int Page = 200;

    public static async ValueTask<TranscriptSearch> FindAsync(
        PageContext context,
        Transcript transcript,
        Session session,
        string text,
        long before
    )
    {
        var found = new List<Message>();
        var (looked, bytes) = (0, 0L);
        while (true)
        {
            var messages = await transcript.BeforeAsync(session.Project, session.Id, before, Page);
            context.Caller.EnsureStillAllowed();
            foreach (var message in messages)
            {
                looked++;
                bytes += message.Content.Length;
                before = message.Seq;
                if (Holds(message, text))
                    found.Add(message);
            }
            if (messages.Count == 0 || before <= 1)
                return new TranscriptSearch(text, found, looked, null);
            if (looked >= MostMessages || bytes >= MostBytes || found.Count >= MostFound)
                return new TranscriptSearch(text, found, looked, before);
        }
    }

    private static bool Holds(Message message, string text) =>
        MessageBlock.Of(message.Content).Any(b => b.Text.Contains(text, StringComparison.OrdinalIgnoreCase));
}
