using Postern.Http;
using Postern.Runs;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>One session: its transcript as it is and as it goes on, its records, runs and facts.</summary>
internal sealed class SessionPages(
    PageWriter writer,
    SessionFinder finder,
    TranscriptFeed feed,
    Transcript transcript,
    RecordStore records,
    RunStore runs
) : IPages
{
    private const int MessagesOfPage = 100;
    private const int RecordsOfPage = 100;
    private const int RunsOfPage = 50;
    private const int RecordsBeside = 30;

    /// <summary>The query that asks for the records beside the transcript.</summary>
    public const string BesideFilter = "beside";
    private static readonly string[] Tabs = ["transcript", "records", "runs", "facts"];

    public void Map(PageDoors pages)
    {
        const string reads = "read:sessions:{session}";
        pages.Page("/sessions/{session}", reads, Show).WithSummary("One session");
        pages.Stream("/sessions/{session}/live", reads, Follow).WithSummary("A session, as it goes on");
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (!(await finder.FindAsync(context, "read")).Try(out var session, out var refusal))
            return refusal;
        var query = context.Http.Request.Query;
        var tab = query["tab"].ToString() is { Length: > 0 } asked ? asked : Tabs[0];
        if (!Tabs.Contains(tab, StringComparer.Ordinal))
            return PageFilters.Bad("tab is none of " + string.Join(", ", Tabs));
        var at = long.MaxValue;
        if (query["at"].ToString() is { Length: > 0 } text && (!long.TryParse(text, out at) || at < 1))
            return PageFilters.Bad("at is a number from 1");
        var model = new SessionModel { Session = session, Tab = tab };
        if (query["text"].ToString().Trim() is { Length: > 0 } sought)
        {
            if (sought.Length > PageFilters.MaxValue)
                return PageFilters.Bad($"text has more than {PageFilters.MaxValue} characters");
            var found = await TranscriptSearch.FindAsync(context, transcript, session, sought, at);
            return await writer.PageAsync<SessionPage, SessionModel>(context, model with { Found = found });
        }
        var name = Conversation.NameOf(session);
        switch (tab)
        {
            case "transcript":
                model = await WithMessagesAsync(model, at);
                if (IsBeside(session, query[BesideFilter].ToString()))
                    model = model with { Beside = await BesideAsync(name) };
                break;
            case "records":
                var channel = query["channel"].ToString() is { Length: > 0 } other ? other : RecordStore.Out;
                if (channel.Length > 128)
                    return PageFilters.Bad("channel has at most 128 characters");
                var after =
                    at == long.MaxValue ? Math.Max(-1, await LastOfAsync(name, channel) - RecordsOfPage) : at - 1;
                model = model with
                {
                    Channel = channel,
                    Records = await records.AfterAsync(name, channel, after, RecordsOfPage),
                };
                break;
            case "runs" when context.Caller.Allows("read", "runs"):
                model = model with { Runs = await RunsOfAsync(context, session) };
                break;
        }
        return await writer.PageAsync<SessionPage, SessionModel>(context, model);
    }

    /// <summary>A chat that the playground began has them without being asked.</summary>
    private static bool IsBeside(Session session, string asked) =>
        asked == "records"
        || (
            asked.Length == 0 && session.ExternalId?.StartsWith(PlaygroundForms.Chats, StringComparison.Ordinal) == true
        );

    private async Task<IReadOnlyList<(string Channel, Record Record)>> BesideAsync(SessionRef name)
    {
        var newest = new List<(string Channel, Record Record)>();
        foreach (var channel in (string[])[RecordStore.In, RecordStore.Out])
        {
            var after = Math.Max(-1, await LastOfAsync(name, channel) - RecordsBeside);
            var found = await records.AfterAsync(name, channel, after, RecordsBeside);
            newest.AddRange(found.Select(record => (channel, record)));
        }
        return [.. newest.OrderBy(n => n.Record.At).TakeLast(RecordsBeside)];
    }

    private async Task<IResult> Follow(PageContext context) =>
        (await finder.FindAsync(context, "read")).Try(out var session, out var refusal)
            ? feed.Follow(context, Conversation.NameOf(session))
            : refusal;

    private async Task<SessionModel> WithMessagesAsync(SessionModel model, long at)
    {
        var session = model.Session;
        // One more in front says whether there are older ones.
        var before = at == long.MaxValue ? long.MaxValue : at + (MessagesOfPage / 2);
        var messages = await transcript.BeforeAsync(session.Project, session.Id, before, MessagesOfPage + 1);
        return model with
        {
            Messages = [.. messages.Take(MessagesOfPage).Reverse()],
            HasOlder = messages.Count > MessagesOfPage,
        };
    }

    private async ValueTask<long> LastOfAsync(SessionRef name, string channel) =>
        (await records.TailAsync(name, channel)).Next - 1;

    private async ValueTask<IReadOnlyList<Run>> RunsOfAsync(PageContext context, Session session)
    {
        var filter = new RunFilter(
            [],
            [],
            [],
            [session.Id],
            [],
            [],
            null,
            null,
            null,
            context.MayAdmin ? null : SessionStore.IsNotOfInternal("run")
        );
        return (await runs.ListAsync(session.Project, filter, RunsOfPage, context.Http.RequestAborted)).Rows;
    }
}
