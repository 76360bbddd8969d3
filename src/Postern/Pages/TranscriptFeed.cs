using System.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Live;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// The live updates of a session's page: each message when it is committed, and the text that is being written.
/// Messages are rendered once on each node.
/// </summary>
internal sealed class TranscriptFeed(PageFeeds feeds, Transcript transcript, Database database)
{
    private const int PageSize = 50;

    public IResult Follow(PageContext context, SessionRef name) =>
        feeds.Follow(
            context,
            new RequiredScope("read", "sessions", name.Id, name.ExternalId),
            Messages(name),
            Deltas(name)
        );

    private LogSource Messages(SessionRef name) =>
        new(
            name.Id + " pages",
            name.Id,
            async () => (await FindAsync(name))?.MessageNext ?? 1,
            async next =>
            {
                var rows = await transcript.AfterAsync(name.Project, name.Id, next - 1, PageSize);
                var frames = new List<Frame>(rows.Count);
                foreach (var message in rows)
                {
                    var bytes = await feeds.EventAsync<LiveMessage, Message>(message.Seq, message);
                    frames.Add(new Frame(message.Seq, message.Seq + 1, bytes));
                }
                return new Batch(frames, frames.Count > 0 ? null : await WhyOverAsync(name));
            },
            WatchedRow.Session(name.Project, name.Id)
        );

    private ValueTask<Session?> FindAsync(SessionRef name) =>
        database.ReadAsync(tx => SessionStore.FindAsync(tx, name.Project, name.Id));

    private async ValueTask<string?> WhyOverAsync(SessionRef name)
    {
        if (await FindAsync(name) is not { } session)
            return StreamEnd.SessionDeleted;
        return session.IsOver(database.Now) ? StreamEnd.SessionClosed : null;
    }

    /// <summary>
    /// The text that is being written: the records of <c>out</c>, of which only the deltas are shown.
    /// </summary>
    private LogSource Deltas(SessionRef name) =>
        ChannelFrames.Source(database, name, RecordStore.Out) with
        {
            Key = name.Id + " page deltas",
            ReadAsync = next =>
                database.ReadAsync(async tx =>
                {
                    var records = await RecordStore.AfterAsync(tx, name, RecordStore.Out, next - 1, PageSize);
                    return new Batch([.. records.Select(r => new Frame(r.Seq, r.Seq + 1, DeltaOf(r)))], null);
                }),
        };

    /// <summary>
    /// Returns the text of a delta, which is an object or, when it was appended as text, JSON in a string.
    /// </summary>
    private static string? TextOf(JsonElement data)
    {
        if (data.ValueKind != JsonValueKind.String)
            return TurnAssembler.DeltaOf(data);
        var text = MendedJson.TextOf(data);
        if (!text.AsSpan().TrimStart().StartsWith("{"))
            return null;
        try
        {
            using var chunk = JsonDocument.Parse(MendedJson.NamesOf(Encoding.UTF8.GetBytes(text)), Wire.Kept);
            return TurnAssembler.DeltaOf(chunk.RootElement);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static ReadOnlyMemory<byte> DeltaOf(Record record)
    {
        if (record.Body.Length == 0)
            return default;
        using var envelope = JsonDocument.Parse(MendedJson.NamesOf(record.Body), Wire.Kept);
        if (TextOf(envelope.RootElement.GetProperty("data")) is not { } text)
            return default;
        var data = JsonSerializer.SerializeToUtf8Bytes(text, Wire.Json);
        return (byte[])[.. "event: delta\ndata: "u8, .. data, .. "\n\n"u8];
    }
}
