using Postern.Settings;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// Appends records from outside. A plain record on <c>out</c> takes the fast way; for everything else
/// <see cref="Conversation"/> decides.
/// </summary>
internal sealed class Appends(
    SessionStore sessions,
    Conversation conversation,
    Database database,
    PosternOptions options
)
{
    private readonly PlainAppends _plain = new(database, Conversation.MostBytesOf(options));

    /// <summary>
    /// Appends records to a channel: all of them or none. A record that is already there is not added again.
    /// </summary>
    public async Task<AppendOutcome> AppendAsync(
        SessionRef name,
        string channel,
        IReadOnlyList<NewRecord> records,
        Writer writer
    )
    {
        if (
            records is [{ Headers: null }]
            && channel == RecordStore.Out
            && await _plain.AppendAsync(name, records[0], writer) is { } seq
        )
            return new AppendOutcome.Appended(seq, seq + 1, true, false);
        var outcome = await database.WriteAsync(tx => conversation.AppendAsync(tx, name, channel, records, writer));
        if (outcome is AppendOutcome.Gone)
            sessions.Forget(name);
        return outcome;
    }
}
