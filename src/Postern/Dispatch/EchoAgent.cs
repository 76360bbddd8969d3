using System.Text.Json;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// The built-in agent. It repeats the messages, word by word, as a model would stream them. It follows the rules for
/// every agent: its records have part ids made from the turn and the position in it. So when a turn that a crash
/// interrupted is repeated, existing records are not added again.
/// </summary>
internal sealed class EchoAgent(
    Database database,
    Conversation conversation,
    Transcript transcript,
    RecordStore records,
    RunStore runs,
    PosternOptions options,
    TimeProvider clock
)
{
    private const int PageSize = 100;
    private static readonly TimeSpan Lease = RunDispatcher.Lease;

    /// <summary>
    /// Runs one turn, to its end or until it is stopped. It ends quietly when the session or the lease is gone.
    /// </summary>
    public async Task TakeTurnAsync(Run run, Session session, CancellationToken cancel)
    {
        var name = Conversation.NameOf(session);
        var turn = $"{run.Id}:{session.TurnInSeq}";
        var renewed = clock.GetTimestamp();
        var place = 0;
        foreach (var chunk in Chunks(turn, await RequestTextAsync(session, name)))
        {
            if (await AppendAsync(name, turn, place++, chunk, run) is not { } done)
                return;
            if (done.StopAsked)
            {
                await AppendAsync(name, turn, -2, new { type = "abort" }, run);
                break;
            }
            if (clock.GetElapsedTime(renewed) > Lease / 3)
            {
                if (!await runs.RenewAsync(run, Lease))
                    return;
                renewed = clock.GetTimestamp();
            }
            if (options.Runs.EchoDelayMilliseconds > 0)
                await Task.Delay(TimeSpan.FromMilliseconds(options.Runs.EchoDelayMilliseconds), clock, cancel);
        }
        await database.WriteAsync(
            tx =>
                conversation.AppendAsync(
                    tx,
                    name,
                    RecordStore.Out,
                    [
                        NewRecord.OfControl(
                            turn + ":end",
                            [Control.Header, Control.TurnComplete],
                            [Control.InEventId, session.TurnInSeq.ToString()]
                        ),
                    ],
                    new Writer(run.Id, Attempt: run.Attempt)
                ),
            CancellationToken.None
        );
    }

    private static IEnumerable<object> Chunks(string turn, string text)
    {
        yield return new { type = "start", messageId = "msg_" + turn.Replace(':', '_') };
        yield return new { type = "text-start", id = "0" };
        foreach (var word in Words(text))
            yield return new
            {
                type = "text-delta",
                id = "0",
                delta = word,
            };
        yield return new { type = "text-end", id = "0" };
        yield return new { type = "finish" };
    }

    private async Task<AppendOutcome.Appended?> AppendAsync(
        SessionRef name,
        string turn,
        int place,
        object chunk,
        Run run
    )
    {
        var part = $"{turn}:{place}";
        var record = NewRecord.OfJson(JsonSerializer.SerializeToUtf8Bytes(chunk, Wire.Json), part, part);
        return await database.WriteAsync(tx =>
                conversation.AppendAsync(tx, name, RecordStore.Out, [record], new Writer(run.Id, Attempt: run.Attempt))
            ) as AppendOutcome.Appended;
    }

    /// <summary>
    /// Returns the texts that this turn answers: the messages on <c>in</c> since the last answer, or the one with which
    /// the session was started.
    /// </summary>
    private async Task<string> RequestTextAsync(Session session, SessionRef name)
    {
        var told = new List<string>();
        var after = session.InAnsweredSeq;
        while (after < session.TurnInSeq)
        {
            var page = await records.AfterAsync(name, RecordStore.In, after, PageSize);
            if (page.Count == 0)
                break;
            foreach (var record in page.Where(r => r.Seq <= session.TurnInSeq && r.Body.Length > 0))
            {
                using var envelope = JsonDocument.Parse(MendedJson.NamesOf(record.Body), Wire.Kept);
                if (InEffect.Read(envelope.RootElement.GetProperty("data")).Message is { Role: "user" } message)
                    told.Add(TextOf(message.Content));
            }
            after = page[^1].Seq;
        }
        if (told.Count == 0 && session.TurnInSeq < 0)
            told.AddRange(
                (await transcript.AfterAsync(session.Project, session.Id, 0, 1)).Select(m => TextOf(m.Content))
            );
        var text = string.Join("\n", told);
        return text.Length == 0 ? "(nothing to echo)" : text;
    }

    private static string TextOf(byte[] content)
    {
        using var blocks = JsonDocument.Parse(content, Wire.Kept);
        return string.Concat(
            blocks
                .RootElement.EnumerateArray()
                .Where(b => b.TryGetProperty("text", out var t) && t.ValueKind == JsonValueKind.String)
                .Select(b => JsonText.Of(b.GetProperty("text")))
        );
    }

    /// <summary>Returns words with the space behind them; never cuts inside a code point.</summary>
    private static IEnumerable<string> Words(string text)
    {
        const int longest = 200;
        var from = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var cut = char.IsWhiteSpace(text[i]) || (i - from >= longest && !char.IsHighSurrogate(text[i]));
            if (!cut && i < text.Length - 1)
                continue;
            yield return text[from..(i + 1)];
            from = i + 1;
        }
    }
}
